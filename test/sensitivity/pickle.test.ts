import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { encodePaddleCurves, readPaddleCurves } from '../../lib/sensitivity/paddle-file';
import { readPickle } from '../../lib/sensitivity/pickle';

// Made by Python 3.11 with numpy 2.4; each list holds protocols 0 to 5:
//
//   import base64, collections, json, os, pickle
//   import numpy as np
//
//   old = {'conv1_weights': {'pruned_percent': [0.2, 0.4], 'loss': [0.01, 0.05], 'size': 32},
//          'conv2_weights': {'pruned_percent': [0.2], 'loss': [0.125], 'size': 64}}
//   new = {'conv1_weights': {0.2: 0.01, 0.4: 0.05}, 'conv2_weights': {0.2: 0.125}}
//   numpy = {'conv1_weights': {'pruned_percent': [0.2, 0.4], 'loss': [np.float64(0.01), np.float32(0.05)], 'size': np.int64(32)},
//            'conv2_weights': {'pruned_percent': [0.2], 'loss': [np.dtype('>f8').type(0.125)], 'size': np.int32(64)}}
//   odd = {'text': 'é€\U0001f600\\u0041\n', 'bytes': b'\x00\xff\n', 'ints': [0, 255, 256, 65535, 65536, -1, 2**31, -2**31, -2**63, 2**40],
//          'floats': [1e-300, -0.5, 3.0], 'tuples': ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)), 'rest': [True, False, None],
//          'long': 'x' * 260, 'many': list(range(9))}
//   class Call:
//       def __reduce__(self): return os.system, ('touch executed',)
//   class Plain: pass
//   plain = Plain(); plain.size = 1
//   own = []; own.append(own)
//   hostile = {'system': Call(), 'object': plain, 'set': {1, 2}, 'frozen': frozenset({1}), 'ordered': collections.OrderedDict(a=1),
//              'array': np.zeros(2), 'complex': np.complex128(1), 'half': np.float16(1), 'big': 2**70, 'bytearray': bytearray(b'12')}
//   both = lambda value: [base64.b64encode(pickle.dumps(value, protocol=p)).decode() for p in range(6)]
//   wrong = {'itself': {'conv1_weights': {'pruned_percent': own, 'loss': own, 'size': 1}}, 'list': [1],
//            'numbers': {'conv1_weights': 1}, 'nan': {'conv1_weights': {0.2: float('nan')}}, 'percent': {'conv1_weights': {20.0: 0.1}},
//            'lengths': {'conv1_weights': {'pruned_percent': [0.2], 'loss': [], 'size': 1}}}
//   print(json.dumps({'old': both(old), 'new': both(new), 'numpy': both(numpy), 'odd': both(odd),
//                     'hostile': {name: both(value) for name, value in hostile.items()},
//                     'wrong': {name: both(value)[2] for name, value in wrong.items()}}))

type Pickles = Record<'old' | 'new' | 'numpy' | 'odd', string[]> & {
  hostile: Record<string, string[]>;
  wrong: Record<'itself' | 'list' | 'numbers' | 'nan' | 'percent' | 'lengths', string>;
};
const pickles: Pickles = JSON.parse(readFileSync(path.join(__dirname, 'pickles.json'), 'utf8'));

const bytesOf = (base64: string): Uint8Array => Buffer.from(base64, 'base64');
const raw = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const protocols = [0, 1, 2, 3, 4, 5];
const refused = (message: RegExp) =>
  expect.objectContaining({ code: 'ERR_BAD_DATA', message: expect.stringMatching(message) });

describe.each(protocols)('protocol %i', (protocol) => {
  test('PaddleSlim 1.x: differences, with the number of channels', () => {
    const read = readPaddleCurves(bytesOf(pickles.old[protocol]!), 'a.data');
    expect(read).toMatchObject({ source: 'a.data', relative: false });
    expect([...read.curves]).toEqual([
      [
        'conv1_weights',
        {
          channels: 32,
          points: [
            { ratio: 0.2, loss: 0.01 },
            { ratio: 0.4, loss: 0.05 },
          ],
        },
      ],
      ['conv2_weights', { channels: 64, points: [{ ratio: 0.2, loss: 0.125 }] }],
    ]);
  });

  test('PaddleSlim 2.x: shares of the whole', () => {
    const read = readPaddleCurves(bytesOf(pickles.new[protocol]!), 'a.data');
    expect(read.relative).toBe(true);
    expect(read.curves.get('conv1_weights')!.points).toEqual([
      { ratio: 0.2, loss: 0.01 },
      { ratio: 0.4, loss: 0.05 },
    ]);
  });

  test('numpy scalars, as evaluations give them', () => {
    const { curves } = readPaddleCurves(bytesOf(pickles.numpy[protocol]!), 'a.data');
    expect(curves.get('conv1_weights')).toEqual({
      channels: 32,
      points: [
        { ratio: 0.2, loss: 0.01 },
        { ratio: 0.4, loss: Math.fround(0.05) },
      ],
    });
    expect(curves.get('conv2_weights')).toEqual({ channels: 64, points: [{ ratio: 0.2, loss: 0.125 }] });
  });

  test('every kind of plain data', () => {
    const read = readPickle(bytesOf(pickles.odd[protocol]!), 'odd') as Map<string, unknown>;
    expect(read.get('text')).toBe('é€\u{1f600}\\u0041\n');
    expect(Array.from(read.get('bytes') as Uint8Array)).toEqual([0, 255, 10]);
    expect(read.get('ints')).toEqual([
      ...[0, 255, 256, 65535, 65536, -1, 2 ** 31, -(2 ** 31)],
      ...[-(2 ** 63), 2 ** 40],
    ]);
    expect(read.get('floats')).toEqual([1e-300, -0.5, 3]);
    expect(read.get('tuples')).toEqual([[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]]);
    expect(read.get('rest')).toEqual([true, false, null]);
    expect(read.get('long')).toBe('x'.repeat(260));
    expect(read.get('many')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test.each(Object.entries(pickles.hostile))('what is no plain data is refused: %s', (_, made) => {
    expect(() => readPickle(bytesOf(made[protocol]!), 'a.data')).toThrow(refused(/^a\.data, byte \d+ of the pickle: /));
    expect(existsSync('executed')).toBe(false);
  });

  test('a file that ends anywhere before its end', () => {
    for (const fixture of [pickles.old, pickles.numpy]) {
      const whole = bytesOf(fixture[protocol]!);
      for (let end = 0; end < whole.length; end++) {
        expect(() => readPickle(whole.subarray(0, end), 'a.data')).toThrow(refused(/a\.data/));
      }
    }
  });
});

test('a function is named, and not called', () => {
  expect(() => readPickle(bytesOf(pickles.hostile.system![4]!), 'a.data')).toThrow(
    refused(/STACK_GLOBAL names "posix\.system", which is no plain data\. Nothing was executed/),
  );
  expect(() => readPickle(raw("cos\nsystem\n(S'ls'\ntR."), 'a.data')).toThrow(
    refused(/byte 0 .*GLOBAL names "os\.system"/),
  );
  // The one module that numpy's scalars need holds others.
  expect(() => readPickle(raw('cnumpy\nload\n.'), 'a.data')).toThrow(refused(/numpy\.load/));
  expect(() => readPickle(raw('c_codecs\ndecode\n.'), 'a.data')).toThrow(refused(/_codecs\.decode/));
});

test('pickles of Python 2: byte strings as text, and as the bytes of a numpy scalar', () => {
  // {'conv1_weights': {0.2: numpy.float64(0.125)}} as cPickle wrote it: a literal at protocol 0, SHORT_BINSTRING at 2.
  const scalar = (text: string) =>
    `cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb${text}tR`;
  const literal = `(dp1\nS'conv1_weights'\np2\n(dp3\nF0.20000000000000001\n${scalar("S'\\x00\\x00\\x00\\x00\\x00\\x00\\xc0?'\n")}ss.`;
  const binary = `\x80\x02}U\x0dconv1_weights}G?\xc9\x99\x99\x99\x99\x99\x9a${scalar('U\x08\0\0\0\0\0\0\xc0?')}ss.`;
  for (const text of [literal, binary]) {
    const { curves } = readPaddleCurves(raw(text), 'a.data');
    expect([...curves]).toEqual([['conv1_weights', { channels: undefined, points: [{ ratio: 0.2, loss: 0.125 }] }]]);
  }
});

test.each<[string, string, RegExp]>([
  ['BUILD of what is no type', '}}b.', /BUILD/],
  ['BUILD of a type with a state of its own', "cnumpy\ndtype\n(S'f8'\ntR}b.", /BUILD/],
  ['REDUCE of data', '}(tR.', /REDUCE/],
  ['a type that is none', "cnumpy\ndtype\n(S'O8'\ntR.", /"O8" is no float or int/],
  ['a type by a name of every object', "cnumpy\ndtype\n(S'constructor'\ntR.", /"constructor" is no float or int/],
  [
    'a scalar of the wrong size',
    "cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'f8'\ntRS'abc'\ntR.",
    /takes 8 bytes, not 3/,
  ],
  ['an extension', '\x82\x01.', /EXT1/],
  ['an extension by two bytes', '\x83\x01\x00.', /EXT2/],
  ['an extension by four bytes', '\x84\x01\0\0\0.', /EXT4/],
  ['a persistent object', 'Pabc\n.', /PERSID/],
  ['an instance', "(S'ls'\nios\nsystem\n.", /INST/],
  ['an object', '(cos\nsystem\no.', /os\.system/],
  ['a new object', ')\x81.', /NEWOBJ/],
  ['an unknown opcode', '\xfe.', /0xfe/],
  ['a string that claims 4 GiB', 'X\xff\xff\xff\xffab', /claims 4294967295 bytes, but only 2 are left/],
  ['a string that claims 2^63 bytes', '\x8d\0\0\0\0\0\0\0\x80', /claims 922337203685477\d+ bytes/],
  ['bytes that claim 2^64 - 1 bytes', '\x8e\xff\xff\xff\xff\xff\xff\xff\xff', /claims \d+ bytes/],
  ['a frame that claims more than there is', '\x80\x04\x95\xff\0\0\0\0\0\0\0N.', /claims 255 bytes/],
  ['a number of 4 GiB', '\x8b\xff\xff\xff\xff', /claims 4294967295 bytes/],
  ['an integer beyond all numbers', `I${'9'.repeat(400)}\n.`, /is no whole number/],
  ['what was never remembered', 'j\xff\xff\xff\xff.', /nothing was remembered as 4294967295/],
  ['a name made of lists that hold each other', '(lp0\n(lp1\ng1\nag0\nag1\n\x93.', /names no function/],
  ['a list for a key', '}(lNs.', /a key is neither/],
  ['a key without a value', '(Nd.', /a key has no value/],
  ['items for no dictionary', ']NNs.', /no dictionary/],
  ['an item for no list', '}Na.', /no list/],
  ['no mark', 'Nt.', /a mark is missing/],
  ['nothing at all', '.', /a value is missing/],
  ['more than one value', 'NN.', /left over/],
  ['a mark that stays open', '(N.', /a value is missing|left over/],
  ['a protocol of the future', '\x80\x06N.', /newer than 5/],
  ['text that is not UTF-8', 'X\x01\0\0\0\xff.', /not UTF-8/],
])('hostile or broken, refused: %s', (_, text, message) => {
  expect(() => readPickle(raw(text), 'a.data')).toThrow(refused(message));
});

test('nested without end, or holding itself: no stack overflows, no loop', () => {
  const deep = readPickle(raw(`${']'.repeat(200_000)}${'a'.repeat(199_999)}.`), 'a.data');
  expect(Array.isArray(deep)).toBe(true);
  const own = readPickle(raw('(lp0\ng0\na.'), 'a.data') as unknown[];
  expect(own[0]).toBe(own);
  expect(() => readPaddleCurves(bytesOf(pickles.wrong.itself), 'a.data')).toThrow(refused(/"conv1_weights"/));
});

test('a key that objects have of their own is a name like any other', () => {
  const read = readPickle(raw("}S'__proto__'\nI1\ns."), 'a.data') as Map<string, unknown>;
  expect(read.get('__proto__')).toBe(1);
  expect(({} as Record<string, unknown>).size).toBeUndefined();
});

test.each<[keyof Pickles['wrong'], RegExp]>([
  ['list', /no dictionary of layers/],
  ['numbers', /a layer is no dictionary/],
  ['nan', /"conv1_weights": the loss at 0\.2 is no number/],
  ['percent', /a ratio is no number from 0 to 1/],
  ['lengths', /not two lists of the same length/],
])('plain data that is no sensitivities file: %s', (name, message) => {
  expect(() => readPaddleCurves(bytesOf(pickles.wrong[name]), 'a.data')).toThrow(refused(message));
});

describe('written files', () => {
  const layers = [
    {
      name: 'é.w_0',
      channels: 300,
      points: [
        { ratio: 0.25, loss: -0.125 },
        { ratio: 0.5, loss: 0.1 },
      ],
    },
    { name: 'b', channels: 4, points: [] },
  ];
  // Both were read by Python's pickle.load: {'é.w_0': {'pruned_percent': [0.25, 0.5], 'loss': [-0.125, 0.1], 'size': 300},
  // 'b': {'pruned_percent': [], 'loss': [], 'size': 4}} and {'é.w_0': {0.25: -0.125, 0.5: 0.1}, 'b': {}}.
  test.each([
    [
      '1.x',
      'gAJ9KFgGAAAAw6kud18wfShYDgAAAHBydW5lZF9wZXJjZW50XShHP9AAAAAAAABHP+AAAAAAAABlWAQAAABsb3NzXShHv8AAAAAAAABHP7mZmZmZmZplWAQAAABzaXplSiwBAAB1WAEAAABifShYDgAAAHBydW5lZF9wZXJjZW50XShlWAQAAABsb3NzXShlWAQAAABzaXplSgQAAAB1dS4=',
    ],
    ['2.x', 'gAJ9KFgGAAAAw6kud18wfShHP9AAAAAAAABHv8AAAAAAAABHP+AAAAAAAABHP7mZmZmZmZp1WAEAAABifSh1dS4='],
  ] as const)('form %s', (form, base64) => {
    const bytes = Buffer.from(encodePaddleCurves(layers, form));
    expect(bytes.toString('base64')).toBe(base64);
    const { relative, curves } = readPaddleCurves(bytes, 'a.data');
    expect(relative).toBe(form === '2.x');
    expect([...curves]).toEqual(
      layers.map(({ name, channels, points }) => [name, { channels: form === '2.x' ? undefined : channels, points }]),
    );
  });
});

test('a few bytes that stand for thousands of points, or of layers, are refused at once', () => {
  const points = Array.from({ length: 1001 }, (_, i) => ({ ratio: (i + 1) / 2000, loss: 0 }));
  const layer = (name: string) => ({ name, channels: 8, points });
  for (const form of ['1.x', '2.x'] as const) {
    expect(() => readPaddleCurves(encodePaddleCurves([layer('conv')], form), 'file')).toThrow(
      expect.objectContaining({ code: 'ERR_BAD_DATA', message: expect.stringContaining('1001 points') }),
    );
  }
  const many = Array.from({ length: 2001 }, (_, i) => ({ name: `conv_${i}`, channels: 8, points: points.slice(0, 1) }));
  expect(() => readPaddleCurves(encodePaddleCurves(many, '2.x'), 'file')).toThrow(
    expect.objectContaining({ code: 'ERR_BAD_DATA', message: expect.stringContaining('2001 layers') }),
  );
});
