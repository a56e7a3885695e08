# See `check`. Reads the rules first, then every source file. Runs on mawk: no intervals, no \< in patterns.

function trim(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }

# A shell pattern as an anchored regular expression: "*" stays inside a folder, "**" does not.
function pattern(glob) {
    gsub(/[.+]/, "\\\\&", glob)
    gsub(/\*\*/, "@", glob)
    gsub(/\*/, "[^/]*", glob)
    gsub(/@/, ".*", glob)
    return "^" glob "$"
}

function matches(path, globs,    list, count, i) {
    count = split(globs, list, " ")
    for (i = 1; i <= count; i++)
        if (path ~ pattern(list[i])) return 1
    return 0
}

function contains(words, word) { return index(" " words " ", " " word " ") > 0 }

function may_include(row, room) {
    return contains(row_uses[row], room) || (contains(row_uses[row], "lib") && contains(lib, room))
}

function wrong(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; failures++ }

function row_of(path,    i) {
    for (i = 1; i <= rows; i++)
        if (matches(path, row_files[i])) return i
    return 0
}

# ---- The rules -----------------------------------------------------------------------------------------------------

FNR == NR && /^[ \t]*(#|$)/ { next }
FNR == NR && /^lib = / { sub(/^lib = /, ""); lib = $0; next }
FNR == NR && /^header / { name = $2; sub(/^[^=]*= */, ""); header[name] = $0; next }
FNR == NR && /^system pure = / { sub(/^[^=]*= */, ""); system_pure = $0; system_all = system_all " " $0; next }
FNR == NR && /^system = / { sub(/^[^=]*= */, ""); system_all = system_all " " $0; next }
FNR == NR {
    if (split($0, column, "|") != 4) { wrong("a row has four columns"); next }
    rows++
    split(trim(column[1]), word, " ")
    row_room[rows] = word[1]
    row_pure[rows] = word[2] == "pure"
    word[2] = ""
    row_files[rows] = trim(column[2])
    row_uses[rows] = " " word[1] " " trim(column[3]) " "
    row_foreign[rows] = trim(column[4])
    next
}

# ---- Sources -------------------------------------------------------------------------------------------------------

FNR == 1 {
    row = row_of(FILENAME)
    in_comment = 0
    body_start = 0
    if (row == 0) wrong("belongs to no room; give it a row in tests/architecture/rules")
}

function check_own(path,    other) {
    other = row_of(path)
    if (path ~ /^tests\//) wrong("product code includes " path)
    else if (other == 0) wrong("includes " path ", which belongs to no room")
    else if (!may_include(row, row_room[other])) wrong(row_room[row] " may not include " row_room[other] ": " path)
}

function check_foreign(path,    name) {
    if (path ~ /\.pb-c\.h$/) {
        if (!may_include(row, "proto")) wrong(row_room[row] " may not include generated messages: " path)
        return
    }
    if (matches(path, system_pure)) return
    if (matches(path, system_all)) {
        if (row_pure[row]) wrong(row_room[row] " is pure and may not include <" path ">")
        return
    }
    for (name in header)
        if (matches(path, header[name])) {
            if (!contains(row_foreign[row], name)) wrong(row_room[row] " may not use " name ": <" path ">")
            return
        }
    wrong("<" path "> is of no known library; say in tests/architecture/rules who may use it")
}

row > 0 && /^[ \t]*#[ \t]*include[ \t]/ {
    path = $0
    sub(/^[^"<]*["<]/, "", path)
    sub(/[">].*$/, "", path)
    if ($0 ~ /"/) check_own(path)
    else check_foreign(path)
    next
}

# ---- Tables of reasons ---------------------------------------------------------------------------------------------

function check_unique(kind, value) {
    if ((FILENAME, kind, value) in seen) wrong(kind " " value " stands twice")
    seen[FILENAME, kind, value] = 1
}

/^CL_(LOAN_)?REASON\(/ {
    text = $0
    sub(/^[^(]*\(/, "", text)
    split(text, column, ",")
    check_unique("reason", trim(column[1]))
    check_unique("code", trim(column[2]))
    next
}

FILENAME ~ /\.def$/ { next }

# ---- Words ---------------------------------------------------------------------------------------------------------

# The line without comments and without what stands in quotes.
function code(line,    out, at, rest) {
    gsub(/\\\\|\\"/, "", line)
    gsub(/"[^"]*"/, "\"\"", line)
    out = ""
    for (;;) {
        if (in_comment) {
            at = index(line, "*/")
            if (at == 0) return out
            line = substr(line, at + 2)
            in_comment = 0
        }
        sub(/\/\/.*$/, "", line)
        at = index(line, "/*")
        if (at == 0) return out line
        out = out substr(line, 1, at - 1) " "
        line = substr(line, at + 2)
        in_comment = 1
    }
}

function calls(line, names) { return line ~ ("(^|[^A-Za-z0-9_])(" names ")[ \t]*\\(") }

row > 0 {
    line = code($0)
    if (calls(line, "gets|strcpy|strcat|sprintf|vsprintf|alloca|strtok|tmpnam|tempnam|mktemp|gmtime|localtime|asctime|ctime"))
        wrong("a function without bounds, or with hidden state")
    if (calls(line, "system|popen")) wrong("starts a shell")
    if (row_pure[row]) {
        if (line ~ /(^|[^A-Za-z0-9_])(float|double)([^A-Za-z0-9_]|$)/) wrong("floating point in " row_room[row])
        if (calls(line, "time|clock|rand|random|getrandom|getenv|fopen|fread|fwrite|printf|fprintf|puts|putchar|scanf|getchar"))
            wrong(row_room[row] " is pure: no I/O, clock, randomness or environment")
    }
    if (row_room[row] == "store" && $0 ~ /printf *\(/ && $0 ~ /"[^"]*(SELECT|INSERT|UPDATE|DELETE|REPLACE)[ "]/)
        wrong("SQL is prepared and bound, never printed")
}

# clang-format puts a function's braces, and nothing else of ours but types' closing "};", into the first column.
/^\{/ { body_start = FNR }
/^}$/ {
    if (body_start > 0 && FNR - body_start - 1 > 60) wrong("a function of " (FNR - body_start - 1) " lines; 60 is the limit")
    body_start = 0
}

END { exit failures > 0 }
