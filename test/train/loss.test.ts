import { type LossSettings, nativeLoss } from '../../lib/train/loss';

const detector = { classes: ['background', 'cat', 'dog'], variances: [0.1, 0.1, 0.2, 0.2] };

test("by default Paddle's ssd_loss, and no teacher", () => {
  expect(nativeLoss({}, detector)).toEqual({
    classes: 3,
    variances: [0.1, 0.1, 0.2, 0.2],
    overlap: 0.5,
    classLoss: 0,
    negativeRatio: 3,
    alpha: 0.25,
    gamma: 2,
    classWeight: 1,
    boxWeight: 1,
    trainsBackground: true,
    teacherLoss: 1,
    teacherClassWeight: 0,
    teacherBoxWeight: 0,
    temperature: 1,
    teacherConfidence: 0.5,
    teacherBackground: 1,
    featureWeight: 0,
  });
});

test('focal loss without alpha, and a teacher', () => {
  const settings: LossSettings = {
    classes: 'focal',
    alpha: null,
    gamma: 1.5,
    classWeight: 0.5,
    teacher: { classes: 'softmax', boxWeight: 3, featureWeight: 5, temperature: 2, confidence: 0.3, background: 0.25 },
  };
  expect(nativeLoss(settings, detector)).toMatchObject({
    classLoss: 1,
    alpha: -1,
    gamma: 1.5,
    classWeight: 0.5,
    teacherLoss: 0,
    teacherClassWeight: 1,
    teacherBoxWeight: 3,
    temperature: 2,
    teacherConfidence: 0.3,
    teacherBackground: 0.25,
    featureWeight: 5,
  });
});

test.each<[string, LossSettings]>([
  ['overlap', { overlap: 1.5 }],
  ['negativeRatio', { negativeRatio: -1 }],
  ['alpha', { alpha: 2 }],
  ['gamma', { gamma: Number.NaN }],
  ['classWeight', { classWeight: -1 }],
  ['boxWeight', { boxWeight: Number.POSITIVE_INFINITY }],
  ['classes', { classes: 'hinge' as never }],
  ['teacher.temperature', { teacher: { temperature: 0 } }],
  ['teacher.confidence', { teacher: { confidence: -0.1 } }],
  ['teacher.background', { teacher: { background: 2 } }],
  ['teacher.classWeight', { teacher: { classWeight: -1 } }],
  ['teacher.featureWeight', { teacher: { featureWeight: -1 } }],
  ['teacher.classes', { teacher: { classes: 'kl' as never } }],
])('%s that makes no sense is refused', (name, settings) => {
  const refused = { code: 'ERR_USAGE', message: expect.stringContaining(`for ${name} `) };
  expect(() => nativeLoss(settings, detector)).toThrow(expect.objectContaining(refused));
});
