# SPDX-License-Identifier: GPL-2.0-or-later
#
# awk -f exposition.awk FILE: is it Prometheus' text exposition format?  Each line that
# breaks its rules is named, and the exit code is 1.  Stricter than the format: each family
# has HELP and TYPE, in this order, once, before its samples, which stand together; no
# series comes twice; counters end in _total and are no fractions.

function bad(why) { print FILENAME ":" FNR ": " why ": " $0; failed = 1 }

# The labels from s on, behind "{": what is left behind "}", or "" if they are wrong.
function labels(s,    name, seen) {
	while (match(s, /^[a-zA-Z_][a-zA-Z0-9_]*="/)) {
		name = substr(s, 1, RLENGTH - 2)
		if (name in seen)
			return ""
		seen[name] = 1
		s = substr(s, RLENGTH + 1)
		while (match(s, /^([^"\\]|\\\\|\\"|\\n)/))
			s = substr(s, RLENGTH + 1)
		if (substr(s, 1, 1) != "\"")
			return ""
		s = substr(s, 2)
		if (substr(s, 1, 1) == "}")
			return substr(s, 2)
		if (substr(s, 1, 1) != ",")
			return ""
		s = substr(s, 2)
	}
	return substr(s, 1, 1) == "}" ? substr(s, 2) : ""
}

/^# HELP / {
	if ($3 !~ /^[a-zA-Z_:][a-zA-Z0-9_:]*$/ || NF < 4) bad("no name or no text")
	if ($3 in help) bad("a second HELP")
	help[$3] = 1
	next
}
/^# TYPE / {
	if (NF != 4 || $4 !~ /^(counter|gauge)$/) bad("no type")
	if (!($3 in help)) bad("TYPE without HELP")
	if ($3 in type) bad("a second TYPE")
	type[$3] = $4
	family = $3
	if ($4 == "counter" && $3 !~ /_total$/) bad("a counter that does not end in _total")
	next
}
/^#/ || /^$/ { bad("neither a comment that counts nor a sample"); next }
{
	if (!match($0, /^[a-zA-Z_:][a-zA-Z0-9_:]*/)) { bad("no name"); next }
	name = substr($0, 1, RLENGTH)
	rest = substr($0, RLENGTH + 1)
	if (name != family) bad("a sample outside of its family")
	if (substr(rest, 1, 1) == "{") {
		rest = labels(substr(rest, 2))
		if (rest == "") bad("wrong labels")
	}
	series = substr($0, 1, length($0) - length(rest))
	if (series in seen_series) bad("a series that was there")
	seen_series[series] = 1
	if (rest !~ /^ -?[0-9]+(\.[0-9]+)?$/) bad("no value")
	if (type[name] == "counter" && rest !~ /^ [0-9]+$/) bad("no value of a counter")
	samples++
}
END {
	if (!samples && !EMPTY_IS_FINE) { print "no sample"; failed = 1 }
	exit failed
}
