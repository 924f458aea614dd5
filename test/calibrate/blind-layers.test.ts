import { quarterCuts } from './missed';

// None of their layers can be measured or mended with pictures.
test.each(['quant-qdq-resnet-17', 'quant-qdq-per-channel-13'])(
  '%s: pictures make no cut worse than weights alone, and the plan says that widths are uniform and weights chose',
  async (name) => {
    const { calibrated, missedByCalibrated, missedByWeights } = await quarterCuts(name, 4);
    expect(calibrated.repair.every(({ reason, errorKept }) => reason !== undefined && errorKept === null)).toBe(true);
    expect(missedByCalibrated).toBeLessThanOrEqual(missedByWeights);
    expect(calibrated.plan.options).toMatchObject({ criterion: 'l1_norm', allocation: 'uniform' });
  },
);
