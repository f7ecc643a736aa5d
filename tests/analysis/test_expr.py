"""The condition language: what holds, what is refused, and that nothing gets out of hand."""

from datetime import UTC, datetime

import pytest

from companyos_canary.analysis.expr.language import compile as compiled
from companyos_canary.analysis.expr.language import evaluate_time
from companyos_canary.analysis.expr.tree import ConditionError

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("result[0] < 0.05", [0.01]),
        ("result >= 0.95", 0.95),
        ("result[-1] == 3", [1, 2, 3]),
        ("1 + 2 * 3 == 7 && (1 + 2) * 3 == 9", 0.0),
        ("2 ** 3 ** 2 == 512", 0.0),
        ("-2 ^ 2 == -4 && (-2) ^ 2 == 4", 0.0),
        ("7 % 3 == 1 && -7 % 3 == -1", 0.0),
        ("7 / 2 == 3.5", 0.0),
        ("result / 0 == result / 0", 1.0),
        ("isNaN(0 / 0)", 0.0),
        ("not (result > 1) and result < 2 or false", 0.5),
        ("!(result >= 0.05)", NAN),
        ("0 < result < 1", 0.5),
        ("0 < result <= 1 < 2", 1.0),
        ("result in 0..5", 5.0),
        ("result not in [1, 2]", 3.0),
        ("not (result in [1, 2])", 3.0),
        ("len(1..3) == 3 && len(3..1) == 0", 0.0),
        ("result[1:] == [2, 3] && result[:1] == [1] && result[:] == [1, 2, 3]", [1, 2, 3]),
        ("result[-2:] == [2, 3] && result[5:] == []", [1, 2, 3]),
        ("isNaN(result) ? true : result < 1", 0.5),
        ("if result > 1 { false } else if result > 0 { true } else { false }", 0.5),
        ("let x = result[0]; let y = x * 2; y == 1", [0.5]),
        ("result | first() < 1", [0.5]),
        ("result | filter(# > 1) | len() == 2", [1, 2, 3]),
        ("(first(result) ?? 7) == 7", []),
        ("(find(result, # > 5) ?? -1) == -1", [1.0]),
        ("find(result, # > 1) == 2 && findLast(result, # > 1) == 3", [1, 2, 3]),
        ("findIndex(result, # > 1) == 1 && findLastIndex(result, # > 1) == 2", [1, 2, 3]),
        ("findIndex(result, # > 9) == nil", [1]),
        ("all(result, {# > 0}) && any(result, # == 2) && none(result, # > 9)", [1, 2]),
        ("all(result, # > 9) && none(result, true) && !any(result, true)", []),
        ("one(result, # == 2)", [1, 2]),
        ("count(result, # > 1) == 2 && sum(result) == 6 && sum(result, # * 2) == 12", [1, 2, 3]),
        ("map(result, # * 2) == [2, 4] && map(result, #index) == [0, 1]", [1, 2]),
        ("reduce(result, #acc + #, 0) == 6 && reduce(result, #acc + #) == 6", [1, 2, 3]),
        ("max(result) == 3 && min(result, 0) == 0 && mean(result) == 2", [1, 2, 3]),
        ("median(result) == 2.5 && median(1, 9, 2) == 2", [1, 2, 3, 4]),
        ("mean(result) == 0 && median(result) == 0 && sum(result) == 0", []),
        ("(get(result, 0) ?? 7) == 7 && get(nil ?? result, -1) == nil", []),
        ("get(result, -1) == 2 && take(result, 1) == [1] && take(result, 9) == result", [1, 2]),
        ("sort(result) == [1, 2, 3] && sort(result, 'desc')[0] == 3", [3, 1, 2]),
        ("reverse(result) == [2, 3] && sort(['b', 'a'])[0] == 'a'", [3, 2]),
        ("last(result) == 2 && first(result) == 1", [1, 2]),
        ("abs(-2) == 2 && ceil(1.2) == 2 && floor(-1.2) == -2", 0.0),
        ("round(2.5) == 3 && round(-2.5) == -3 && round(0.49) == 0", 0.0),
        ("int(result) == 2 && float(2) == 2.0 && int('7') == 7 && float('0x1p-2') == 0.25", 2.9),
        ("asInt(result) == 0 && asFloat('1e3') == 1000 && asInt('-7') == -7", 0.99),
        ("isInf(result) && !isNaN(result)", -INF),
        ("isNil(nil) == false && default(nil, 7) == 1", 1.0),
        ("result[0] != result[0]", [NAN]),
        ("[1, [2]] == [1.0, [2.0]] && [1] != [2]", 0.0),
        ("nil == nil && (nil ?? 1) == 1 && nil != 1", 0.0),
        ("'abc' contains 'b' && 'abc' startsWith 'a' && 'abc' endsWith \"c\"", 0.0),
        ("'abc' not contains 'z' && 'a' + 'b' == 'ab' && 'a' < 'b'", 0.0),
        ("len('äb') == 2 && 'a\\x41\\u00e4\\n' == `aAä\n`", 0.0),
        ("0x10 == 16 && 0b11 == 3 && 0o17 == 15 && 1_000 == 1e3 && .5 == 0.5", 0.0),
        ("result[0] > 0 // a comment\n && /* another */ true", [1]),
        ("now().Year() == 2026 && now().Hour() == 3 && now().Month() == 5", 0.0),
        ("now() - duration('1h') < now() && (now() - now()).Seconds() == 0", 0.0),
        ("duration('90s').Minutes() == 1.5 && duration('1m') * 2 == duration('2m')", 0.0),
        ("result?.[0] == 1", [1]),
        ("true; result == 1;", 1.0),
        ("9223372036854775807 + 1 == -9223372036854775807 - 1", 0.0),
        ("asInt(result) < 0", NAN),
    ],
)
def test_a_condition_holds(text, result):
    assert compiled(text).evaluate(result, NOW) is True


@pytest.mark.parametrize(
    ("text", "result", "message"),
    [
        ("", 0.0, "unexpected token EOF"),
        ("result[0] <", [1], "unexpected token EOF"),
        ("result[0] = 1", [1], 'unexpected token Operator("=")'),
        ("result)", [1], 'unexpected token Bracket(")")'),
        ("1 2", 0.0, 'unexpected token Number("2")'),
        ("'open", 0.0, "literal not terminated"),
        ("/* open", 0.0, "unclosed comment"),
        ("1h > 0", 0.0, 'bad number syntax: "1h"'),
        ("§", 0.0, "unrecognized character: U+00A7 '§'"),
        ("99999999999999999999 > 1", 0.0, "value out of range"),
        ("1 ?? 2 || true", 0.0, "cannot be mixed"),
        ("result[0] < 0.05", 0.01, "type float64[int] is undefined"),
        ("result.x", 0.0, "type float64 has no field x"),
        ("result['x']", [1], "selected using an integer (got string)"),
        ("result[1.5] > 0", [1], "array elements can only be selected using an integer"),
        ("result['a' == 'b'] > 0", [1], "array elements can only be selected using an integer"),
        ("result > 1", [1], "invalid operation: > (mismatched types []float64 and int)"),
        ("result[0] == '1'", [1], "== (mismatched types float64 and string)"),
        ("nil < 1", 0.0, "invalid operation: < (mismatched types unknown and int)"),
        ("result && true", 1.0, "invalid operation: && (mismatched types float64 and bool)"),
        ("!result", 1.0, "invalid operation: ! (mismatched type float64)"),
        ("result ? 1 : 2", 1.0, "non-bool expression (type float64) used as condition"),
        ("result % 2 == 0", 1.0, "invalid operation: % (mismatched types float64 and int)"),
        ("1 % 0 == 0", 1.0, "runtime error: integer divide by zero"),
        ("'a' in [1]", 0.0, "cannot use string as type int in array"),
        ("result", 1.0, "expected bool, but got float64"),
        ("value < 1", 1.0, "unknown name value"),
        ("isnan(result)", 1.0, "unknown name isnan"),
        ("result(1)", 1.0, "float64 is not callable"),
        ("isNaN()", 1.0, "not enough arguments to call isNaN"),
        ("isNaN(1, 2)", 1.0, "too many arguments to call isNaN"),
        ("isNaN(nil)", 1.0, "cannot use nil as argument (type float64) to call isNaN"),
        ("isNaN(default(1, 2))", [1], "reflect: Call using []float64 as type float64"),
        ("len(1) == 1", 0.0, "invalid argument for len (type int)"),
        ("len() == 1", 0.0, "invalid number of arguments (expected 1, got 0)"),
        ("max() == 1", 0.0, "not enough arguments to call max"),
        ("max('a') == 1", 0.0, "invalid argument for max (type string)"),
        ("first(1) == 1", 0.0, "cannot get first element from int"),
        ("get(1, 0) == 1", 0.0, "type int does not support indexing"),
        ("get(result, 'a') == 1", [1], "non-integer slice index string"),
        ("get(result) == 1", [1], "invalid number of arguments (expected 2, got 1)"),
        ("take(result, 1.5) == []", [1], "cannot take float64 elements"),
        ("take(result, -1) == []", [1], "slice index out of bounds"),
        ("reverse(1) == []", 0.0, "cannot reverse int"),
        ("sort([1, 'a']) == []", 0.0, "invalid operation: "),
        ("sort(result, 'up') == []", [1], "invalid order up, expected asc or desc"),
        ("sort(result, 1) == []", [1], "cannot use int as argument (type string) to call sort"),
        ("all(result, # < 1)", 1.0, "builtin all takes only array (got float64)"),
        ("all(result, #)", [1], "predicate should return boolean (got float64)"),
        ("all(result)", [1], "expected at least 2 arguments"),
        ("all(result, # < 1; true)", [1], "wrap predicate with brackets { and }"),
        ("all(result, #other)", [1], "unknown pointer #other"),
        ("# > 1", [1], 'unexpected token Operator("#")'),
        ("let result = 1; true", 1.0, "cannot redeclare result"),
        ("let len = 1; true", 1.0, "cannot redeclare builtin len"),
        ("let x = 1; let x = 2; true", 1.0, "cannot redeclare variable x"),
        ("reduce([], #acc + #) == 1", 1.0, "reduce of empty array with no initial value"),
        ("result[7] > 1", [1], "index out of range: 7 (array length is 1)"),
        ("first([])[0] > 1", [1], "cannot fetch 0 from <nil>"),
        ("default(1, 2) < 1", [1], "invalid operation: []float64 < int"),
        ("default(1, 2) && true", [1], "interface conversion: interface {} is []float64, not bool"),
        ("asFloat('x') > 1", [1], 'strconv.ParseFloat: parsing "x": invalid syntax'),
        ("asInt('1.5') > 1", [1], 'strconv.ParseInt: parsing "1.5": invalid syntax'),
        ("int('x') == 1", 0.0, "invalid operation: int(x)"),
        ("duration('soon') == now()", 0.0, "mismatched types time.Duration and time.Time"),
        ("duration('soon') == duration('1s')", 0.0, 'time: invalid duration "soon"'),
        ("now().Nope() == 1", 0.0, "the method Nope of time.Time is not supported here"),
        ("result.Year() == 1", 0.0, "type float64 has no method Year"),
        ("groupBy(result, #) == 1", [1], "`groupBy` is not supported here"),
        ("'a' matches '(a+)+$'", 0.0, "`matches` is not supported here"),
        ("{a: 1}.a == 1", 0.0, "maps are not supported here"),
        ("$env == 1", 0.0, "`$env` is not supported here"),
        ("0..2000000 == [1]", 0.0, "memory budget exceeded"),
        ("all(1..999, all(1..999, # > 0))", 0.0, "the condition takes too many steps"),
        ("(" * 200 + "1" + ")" * 200, 0.0, "the condition is nested too deeply"),
        ("+".join(["1"] * 3000) + " > 1", 0.0, "the condition is nested too deeply"),
        ("1" * 30_000, 0.0, "the condition is longer than 20000 characters"),
    ],
)
def test_a_condition_is_refused_with_its_reason(text, result, message):
    with pytest.raises(ConditionError) as error:
        compiled(text).evaluate(result, NOW)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "let r = 0..99999; all(r, sum(r) > 0)",
        "let r = 0..99999; all(r, max(r) > 0)",
        "let r = map(0..99999, true); all(r, count(r) > 0)",
        "let r = 0..99999; all(r, -1 not in r)",
        "let r = 0..99999; all(r, r == 0..0 || r == r)",
        "let r = 0..99999; all(r, len(filter(r, # < 0)) == 0)",
        "all(0..99999, find(0..9, # < 0) == nil)",
        "let r = 0..99999; all(r, findLast(r, true) > 0)",
        "(" * 50 + "true" + " ?: false)" * 50,
        "0 < (" * 25 + "1" + " < 2 ? 1 : 2)" * 25 + " < 2",
        "0 < (" * 25 + "1" + ") < 9 ? 1 : 2" * 25,
    ],
)
def test_work_within_work_is_counted(text):
    with pytest.raises(ConditionError, match=r"too many steps|memory budget exceeded"):
        compiled(text).evaluate(0.0, NOW)


def test_searching_a_long_text_is_counted():
    text = "let a0 = 'xxxxxxxx'; " + " ".join(f"let a{i + 1} = a{i} + a{i};" for i in range(15))
    for search in ("a15 contains 'xy'", "a15 == a14 + a14"):
        with pytest.raises(ConditionError, match=r"too many steps|memory budget exceeded"):
            compiled(text + f"let r = 0..9999; all(r, {search} || true)").evaluate(0.0, NOW)


def test_a_nested_list_is_shown_cut_short():
    text = "let a = map(0..99, 1); let b = map(0..99, a); let c = map(0..99, b); asInt(c) == 1"
    with pytest.raises(ConditionError, match="not supported on") as error:
        compiled(text).evaluate(0.0, NOW)
    assert len(str(error.value)) < 50_000


def test_a_text_that_doubles_itself_is_stopped():
    text = "let a0 = 'xxxxxxxx'; "
    text += " ".join(f"let a{i + 1} = a{i} + a{i};" for i in range(40))
    with pytest.raises(ConditionError, match="memory budget exceeded"):
        compiled(text + " len(a40) > 1").evaluate(0.0, NOW)


def test_lists_in_lists_that_double_are_stopped():
    text = "let a0 = [1]; let b0 = [1]; "
    for i in range(22):
        text += f"let a{i + 1} = [a{i}, a{i}]; let b{i + 1} = [b{i}, b{i}]; "
    with pytest.raises(ConditionError, match="too many steps"):
        compiled(text + "a22 == b22").evaluate(0.0, NOW)


def test_a_condition_tells_beforehand_what_it_is_made_for():
    with pytest.raises(ConditionError, match="mismatched types"):
        compiled("result > 1").check(scalar=False)
    with pytest.raises(ConditionError, match="expected bool, but got float64"):
        compiled("result").check(scalar=True)
    compiled("result > 1").check(scalar=True)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now()", NOW),
        ('now() - duration("1h")', datetime(2026, 5, 4, 2, 2, 1, tzinfo=UTC)),
        ('duration("1m") + now()', datetime(2026, 5, 4, 3, 3, 1, tzinfo=UTC)),
    ],
)
def test_an_expression_gives_a_time(text, moment):
    assert evaluate_time(text, NOW) == moment


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1", "expected time.Time, but got int"),
        ("now() - 1h", 'bad number syntax: "1h"'),
        ("result", "unknown name result"),
        ("asInt(1)", "unknown name asInt"),
        ("now()" + " - duration('2500000h')" * 8, "out of range"),
    ],
)
def test_an_expression_that_gives_no_time_is_refused(text, message):
    with pytest.raises(ConditionError) as error:
        evaluate_time(text, NOW)
    assert message in str(error.value)
