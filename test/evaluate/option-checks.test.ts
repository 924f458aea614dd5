import { checkEvaluateOptions } from '../../lib/evaluate/mean-ap';
import { chooseDevice } from '../../lib/evaluate/providers';
import { checkThreads } from '../../lib/evaluate/session';
import { describeGpu } from '../../lib/machine';

test('threads beyond what any machine has are refused', () => {
  expect(() => checkThreads(1025)).toThrow('Expected an integer from 0 to 1024 for threads but received 1025');
  expect(() => checkThreads(1024)).not.toThrow();
});

test('COCO refuses what it would ignore', () => {
  const usage = expect.objectContaining({ code: 'ERR_USAGE' });
  expect(() => checkEvaluateOptions({ protocol: 'coco', apVersion: 'integral' })).toThrow(usage);
  expect(() => checkEvaluateOptions({ protocol: 'coco', overlapThreshold: 0.5 })).toThrow(usage);
  expect(checkEvaluateOptions({ protocol: 'coco' })).toMatchObject({ protocol: 'coco' });
});

test('on a machine without a GPU nothing is said of CUDA', async () => {
  const { device, note } = await chooseDevice('auto');
  expect(note === undefined || (await describeGpu()) !== null).toBe(true);
  expect(device === 'cpu' || (await describeGpu()) !== null).toBe(true);
});
