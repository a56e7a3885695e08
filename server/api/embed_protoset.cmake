# cmake -DIN=<descriptor set> -DOUT=<file.c> -P embed_protoset.cmake: the compiled contract as an array of bytes.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n    " bytes "${bytes}")
file(WRITE ${OUT} "#include \"server/api/protoset.h\"\n\n"
  "const uint8_t api_protoset[] = {\n    ${bytes}\n};\nconst size_t api_protoset_len = sizeof api_protoset;\n")
