import type { NativeInputFormat } from '../native/vision';
import type { DetectorSettings } from './detector';

/** In the order of native/vision/resize.h. */
const kernels = ['nearest', 'bilinear', 'bicubic', 'lanczos3', 'area'];

/** How a detector wants its pictures, as the addon reads it. */
export function nativeInputFormat(input: DetectorSettings['input']): NativeInputFormat {
  const { width, height, channels, mean, std, resize } = input;
  return {
    width,
    height,
    mean,
    std,
    kernel: kernels.indexOf(resize.kernel),
    antialias: resize.antialias,
    bgr: channels === 'BGR',
  };
}
