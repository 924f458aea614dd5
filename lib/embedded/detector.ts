import path from 'node:path';
import { packageRoot } from '../native/addon';

/**
 * The trained detector that comes with the package: a MobileNetV1-SSD of 128 pixels, width 0.25, for scenes as
 * lib/scenes draws them. `scripts/train-embedded.js` made it.
 */
export const embeddedDetector: string = path.join(packageRoot, 'lib', 'embedded', 'scenes.onnx');
