# Reads .proto files written one statement a line; prints what breaks our rules and writes one line per promise to `listing`.
# Runs on mawk.

function wrong(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; failures++ }

function scope(    name, i) {
    name = package
    for (i = 1; i <= depth; i++) name = name "." names[i]
    return name
}

# "KeyStatus" -> "KEY_STATUS_"
function prefix(name,    out, i, c) {
    out = ""
    for (i = 1; i <= length(name); i++) {
        c = substr(name, i, 1)
        if (c ~ /[A-Z]/ && i > 1) out = out "_"
        out = out toupper(c)
    }
    return out "_"
}

FNR == 1 { depth = 0; package = "" }

{ line = $0; sub(/\/\/.*$/, "", line); sub(/[ \t]+$/, "", line); sub(/^[ \t]+/, "", line) }
line == "" { next }

line ~ /^package / { package = line; sub(/^package +/, "", package); sub(/;$/, "", package); next }
line ~ /^(syntax|import|option)[ =]/ { next }

line ~ /^(message|enum|service|oneof) +[A-Za-z_0-9]+ *\{( *\})?$/ {
    split(line, word, /[ \t{]+/)
    print word[1] " " scope() "." word[2] > listing
    if (line ~ /\}$/) next
    depth++
    kinds[depth] = word[1]
    names[depth] = word[2]
    values = 0
    next
}
line ~ /^\}/ { depth--; next }

line ~ /^reserved / { print "reserved " scope() " " line > listing; next }

kinds[depth] == "service" {
    method = line
    gsub(/[ \t]+/, " ", method)
    sub(/ ?[;{].*$/, "", method)
    print scope() " " method > listing
    next
}

kinds[depth] == "enum" {
    split(line, word, /[ \t=;]+/)
    if (values++ == 0 && !(word[1] ~ /_UNSPECIFIED$/ && word[2] == "0")) wrong("the first value is " prefix(names[depth]) "UNSPECIFIED = 0")
    if (index(word[1], prefix(names[depth])) != 1) wrong(word[1] " does not begin with " prefix(names[depth]))
    print "value " scope() " " word[1] " = " word[2] > listing
    next
}

{
    field = line
    gsub(/[ \t]+/, " ", field)
    sub(/ ?(\[[^;]*)?;$/, "", field)
    if (field !~ /^(repeated )?[A-Za-z0-9_.]+ [a-z][a-z0-9_]* = [0-9]+$/) {
        if (field ~ /^optional /) wrong("no optional: protobuf-c does not know it")
        else if (field ~ /^map *</) wrong("no maps: their bytes have no order")
        else wrong("not understood; one statement a line: " line)
        next
    }
    print "field " scope() " " field > listing
    split(field, word, " ")
    type = word[1] == "repeated" ? word[2] : word[1]
    if (type == "float" || type == "double") wrong("no floating point: amounts are fen, rates ppm")
    if (type ~ /^(u?int32|u?int64|sint32|sint64|fixed32|fixed64|sfixed32|sfixed64|bool|string|bytes)$/) next
    message = scope()
    uses[message] = uses[message] " " package "." type
}

# Could bytes of a message hold the message itself? Then nesting has no bound. Enums and other packages have no `uses`.
function reaches(from, to, left,    list, count, i) {
    if (left == 0) return 0
    count = split(uses[from], list, " ")
    for (i = 1; i <= count; i++)
        if (list[i] == to || reaches(list[i], to, left - 1)) return 1
    return 0
}

END {
    for (message in uses) start[message] = 1
    for (message in start)
        if (reaches(message, message, 8)) { print message " can hold itself: nesting has no bound"; failures++ }
    exit failures > 0
}
