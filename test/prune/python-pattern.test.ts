import { compilePattern } from '../../lib/prune/select';

/** Name, and what Python 3.11 says of re.fullmatch, re.match and re.search. */
const found = (pattern: string, name: string) => {
  const match = compilePattern(pattern);
  return [match.full, match.prefix, match.anywhere].map((find) => find([name]).length === 1);
};

// Expected values are those of Python 3.11's re.
test.each<[pattern: string, name: string, expected: boolean[]]>([
  ['conv2d_1.w_0', 'conv2d_1.w_0', [true, true, true]],
  ['conv2d_1.w_0', 'depthwise_conv2d_1.w_0', [false, false, true]],
  ['conv2d_1', 'conv2d_10.w_0', [false, true, true]],
  // An alternative must not end the anchoring.
  ['conv2d_1.w_0|conv2d_2.w_0', 'conv2d_2.w_0.old', [false, true, true]],
  ['a|b', 'xb', [false, false, true]],
  ['(?P<kind>conv|bn)_(?P=kind)', 'bn_bn', [true, true, true]],
  ['(?P<kind>conv|bn)_(?P=kind)', 'bn_conv', [false, false, false]],
  [String.raw`\Aconv\d{2}\Z`, 'conv12', [true, true, true]],
  [String.raw`\Aconv\d{2}\Z`, 'conv123', [false, false, false]],
  ['(?i)CONV_[a-z]', 'conv_Q', [true, true, true]],
  ['x{,2}y', 'xxy', [true, true, true]],
  ['x{,2}y', 'xxxy', [false, false, true]],
  // A brace that repeats nothing is itself.
  ['x{a}', 'x{a}', [true, true, true]],
  ['[]x]+', ']x]', [true, true, true]],
  ['[^]x]', 'y', [true, true, true]],
  ['[^]x]', ']', [false, false, false]],
  ['[*+]+', '+*', [true, true, true]],
  [String.raw`conv\+\+`, 'conv++', [true, true, true]],
  [String.raw`[\w.]+/weight`, 'layer.1/weight', [true, true, true]],
  ['(?:a|b)(?=c)c', 'bc', [true, true, true]],
  ['(?s).', '\n', [true, true, true]],
  [String.raw`(a)(b)\2`, 'abb', [true, true, true]],
  [String.raw`[\d-]+`, '1-2', [true, true, true]],
  // What can go back over a name is matched another way, to the same end.
  ['(?:conv2d_[0-9]+|bn)+', 'conv2d_12bn', [true, true, true]],
  ['a.*b.*c.*d', 'xa1b2c3d4', [false, false, true]],
])('%j on %j', (pattern, name, expected) => {
  expect(found(pattern, name)).toEqual(expected);
});

test.each([
  ['(?x) a b', 'no flag x'],
  ['(?L)a', 'no flag L'],
  ['a(?i)b', 'very beginning'],
  ['a(?i:b)', 'very beginning'],
  ['a(?#comment)', 'comments'],
  ['(a)?(?(1)b|c)', 'conditional'],
  ['(?>ab)', 'atomic'],
  ['a*+', 'possessive'],
  ['a{2}+', 'possessive'],
  ['a{,2}+', 'possessive'],
  [String.raw`\c`, String.raw`the escape \c is not supported`],
  [String.raw`[\p]`, String.raw`the escape \p is not supported`],
  ['a\\', 'backslash at the end'],
  ['[a', 'not closed'],
  ['(a', 'Unterminated group'],
  ['(?Pa)', 'unknown group'],
  ['*a', 'Nothing to repeat'],
  ['(?P=x)', 'no group x'],
  ['(?P=x)(?P<x>a)', 'no group x'],
  [String.raw`\1`, 'no group 1'],
  [String.raw`(a)\2`, 'no group 2'],
  [String.raw`[(]\1`, 'no group 1'],
  [String.raw`[a-\d]`, String.raw`bad character range a-\d`],
  [String.raw`[\w-z]`, String.raw`bad character range \w-`],
])('%j is refused, by the reason', (pattern, reason) => {
  expect(() => compilePattern(pattern)).toThrow(expect.objectContaining({ code: 'ERR_BAD_PATTERN' }));
  expect(() => compilePattern(pattern)).toThrow(reason);
});

test('a pattern that goes back over a name without end is refused in time', () => {
  const started = performance.now();
  const { full } = compilePattern('(.*)*(.*)*(.*)*(.*)*(.*)*(.*)*X');
  expect(() => full(['conv2d_1.w_0', 'depthwise_conv2d_12.w_0_batch_norm'])).toThrow(
    expect.objectContaining({ code: 'ERR_BAD_PATTERN', message: expect.stringContaining('took over 2 s') }),
  );
  expect(performance.now() - started).toBeLessThan(20_000);
});
