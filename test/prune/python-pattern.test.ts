import { compilePattern } from '../../lib/prune/select';

/** Name, and what Python 3.11 says of re.fullmatch, re.match and re.search. */
const found = (pattern: string, name: string) => {
  const match = compilePattern(pattern);
  return [match.full(name), match.prefix(name), match.anywhere(name)];
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
])('%j on %j', (pattern, name, expected) => {
  expect(found(pattern, name)).toEqual(expected);
});

test.each([
  ['(?x) a b', 'no twin'],
  ['(?L)a', 'no twin'],
  ['a(?i)b', 'very beginning'],
  ['a(?i:b)', 'very beginning'],
  ['a(?#comment)', 'comments'],
  ['(a)?(?(1)b|c)', 'conditional'],
  ['(?>ab)', 'atomic'],
  ['a*+', 'possessive'],
  ['a{2}+', 'possessive'],
  ['a{,2}+', 'possessive'],
  [String.raw`\c`, String.raw`no escape \c`],
  [String.raw`[\p]`, String.raw`no escape \p`],
  ['a\\', 'backslash at the end'],
  ['[a', 'not closed'],
  ['(a', 'Unterminated group'],
  ['(?Pa)', 'unknown group'],
  ['*a', 'Nothing to repeat'],
])('%j is refused, by the reason', (pattern, reason) => {
  expect(() => compilePattern(pattern)).toThrow(expect.objectContaining({ code: 'ERR_BAD_PATTERN' }));
  expect(() => compilePattern(pattern)).toThrow(reason);
});
