# cmake -DIN=<file> -DOUT=<file.c> -DHEADER=<header> -DNAME=<name> -P embed.cmake: a file as an array of bytes, `name` and
# `name`_len, which the header declares.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n    " bytes "${bytes}")
file(WRITE ${OUT} "#include \"${HEADER}\"\n\n"
  "const uint8_t ${NAME}[] = {\n    ${bytes}\n};\nconst size_t ${NAME}_len = sizeof ${NAME};\n")
