import { SsdPruneError } from '../errors';

/** A decoded picture: `data` is (height, width, 3), 8 bits of sRGB each. */
export interface Picture {
  data: Uint8Array;
  width: number;
  height: number;
}

export interface DecodeOptions {
  /**
   * Turn the picture as its EXIF orientation says. Defaults to `false`: annotations count pixels as they are stored,
   * and so do the evaluators of VOC and COCO.
   */
  orient?: boolean;
}

/**
 * Decodes a JPEG, PNG, WebP, GIF, TIFF or AVIF file (of animations the first frame). Whatever it holds (grey, palette,
 * CMYK, 16 bits) ends as 8-bit RGB; transparency is dropped, not blended, and colour profiles of RGB pictures are not
 * applied: pixels come as Pillow and OpenCV read them.
 * @throws {SsdPruneError} ERR_BAD_DATA naming the file, where it is missing, broken or cut off
 */
export async function decodePicture(file: string, { orient = false }: DecodeOptions = {}): Promise<Picture> {
  const sharp = loadSharp();
  try {
    const image = sharp(file, { failOn: 'error', ignoreIcc: true, sequentialRead: true });
    if (orient) image.autoOrient();
    const { data, info } = await image
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { data, width: info.width, height: info.height };
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    throw new SsdPruneError('ERR_BAD_DATA', `${file}: cannot read this picture: ${reason}`, { cause: error });
  }
}

/** sharp, loaded at the first call: its library takes longer to load than most commands take. */
export function loadSharp(): typeof import('sharp') {
  try {
    return require('sharp') as typeof import('sharp');
  } catch (error) {
    throw new SsdPruneError(
      'ERR_NO_RUNTIME',
      `sharp, which decodes pictures, is not installed or does not load: ${(error as Error).message.split('\n')[0]}\n` +
        `Repair: \`npm install --os=${process.platform} --cpu=${process.arch} sharp\`.`,
      { cause: error },
    );
  }
}
