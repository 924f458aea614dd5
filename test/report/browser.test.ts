/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import type { PageExtras } from '../../lib/report/page/page';
import { temporary } from '../data/folders';
import { launch, missing, screenshot, watch } from './browser';
import {
  finetuneDocument,
  madeHostile,
  mapSensitivityDocument,
  runDocument,
  sensitivityDocument,
  stepPoints,
} from './documents';
import { rendered } from './rendered';

/** The page in a real browser; skipped, and said so on stderr, where none starts. */
const inBrowser = missing === undefined ? describe : describe.skip;

/** `SSD_PRUNE_SCREENSHOTS`: a folder to keep them in, for somebody to look at. */
const folder = process.env.SSD_PRUNE_SCREENSHOTS ?? temporary();
let browser: Browser;

async function extras(): Promise<PageExtras> {
  const create = { width: 320, height: 240, channels: 3 as const, background: '#336699' };
  const jpeg = await sharp({ create }).jpeg().toBuffer();
  const found = { jpeg, width: 320, height: 240, boxes: [{ class: 'cat', score: 0.9 }] };
  const picture = (name: string) => ({ name, before: found, after: { ...found, boxes: [] } });
  return {
    history: { points: stepPoints },
    sensitivity: sensitivityDocument,
    pictures: [picture('000001'), picture('000002'), picture('000003')],
    bytes: { before: 27_000_000, after: 21_000_000 },
  };
}

type Evaluated<T> = (page: Page, seen: string[]) => Promise<T>;

/** Opens a page at a width and in a scheme. */
async function visit<T>(file: string, width: number, colorScheme: 'light' | 'dark', look: Evaluated<T>): Promise<T> {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  try {
    const page = await context.newPage();
    const { href } = pathToFileURL(file);
    const seen = watch(page, href);
    await page.goto(href);
    return await look(page, seen);
  } finally {
    await context.close();
  }
}

/** Everything folded out, whether it is wider than the window. */
const overflows = (page: Page): Promise<boolean> =>
  page.evaluate(() => {
    for (const details of document.querySelectorAll('details')) details.open = true;
    return document.documentElement.scrollWidth > window.innerWidth;
  });

/** The least contrast of text with what it stands on, by WCAG's formula, of the elements that a selector names. */
const contrast = (page: Page, selector: string): Promise<number> =>
  page.evaluate((wanted) => {
    const parse = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (colour: number[]): number => {
      const [r, g, b] = colour.map((value) => {
        const share = value / 255;
        return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
    };
    const behind = (element: Element | null): number[] => {
      for (let at = element; at; at = at.parentElement) {
        const colour = parse(getComputedStyle(at).backgroundColor);
        if (colour[3] !== 0) return colour.slice(0, 3);
      }
      return [255, 255, 255];
    };
    const found = [...document.querySelectorAll(wanted)].map((element) => {
      const pair = [luminance(parse(getComputedStyle(element).color).slice(0, 3)), luminance(behind(element))];
      return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    });
    return Math.min(...found);
  }, selector);

inBrowser('a run’s page in a browser', () => {
  const file = path.join(folder, 'run.html');
  const hostileFile = path.join(folder, 'hostile.html');
  const curvesFile = path.join(folder, 'curves.html');
  beforeAll(async () => {
    const given = await extras();
    writeFileSync(file, rendered(runDocument, given));
    const { pictures, ...rest } = given;
    const named = pictures!.map((picture) => ({ ...picture, ...madeHostile({ name: picture.name }) }));
    writeFileSync(hostileFile, rendered(madeHostile(runDocument), { ...rest, pictures: named }));
    writeFileSync(curvesFile, rendered(mapSensitivityDocument));
    browser = await launch();
  });
  afterAll(() => browser?.close());

  test.each([
    [1280, 'light'],
    [1280, 'dark'],
    [400, 'light'],
    [400, 'dark'],
  ] as const)(
    'at %i pixels, %s: nothing is said or loaded, nothing hangs over, all can be read',
    async (width, scheme) => {
      for (const [name, place] of Object.entries({ run: file, hostile: hostileFile, curves: curvesFile })) {
        await visit(place, width, scheme, async (page, seen) => {
          const shot = path.join(folder, `${name}-${width}-${scheme}.png`);
          await screenshot(page, shot);
          expect([name, await overflows(page)]).toEqual([name, false]);
          expect([name, seen]).toEqual([name, []]);
          const text = 'p, li, td, th, caption, figcaption, summary, a, h1, h2, .good, .bad';
          expect(await contrast(page, text)).toBeGreaterThanOrEqual(4.5);
          const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
          expect(dark).toBe(scheme === 'dark' ? 'rgb(13, 17, 23)' : 'rgb(255, 255, 255)');
        });
      }
    },
  );

  test.each(['light', 'dark'] as const)('words of drawings stand out from their paper, %s', async (scheme) => {
    const pictures = await visit(file, 1280, scheme, async (page) => {
      const drawings = page.locator('.card svg:not(.legend svg)');
      const shots: Buffer[] = [];
      for (let i = 0; i < (await drawings.count()); i++) {
        // A word that is drawn, with what is behind it: a mark of an axis, or the title.
        shots.push(await screenshot(drawings.nth(i).locator('text', { hasText: /\w/ }).first()));
      }
      return shots;
    });
    expect(pictures).toHaveLength(7);
    for (const picture of pictures) {
      const { channels } = await sharp(picture).greyscale().stats();
      expect(channels[0]!.max - channels[0]!.min).toBeGreaterThan(90);
    }
  });

  test('bars are as long as the numbers say', async () => {
    const lengths = await visit(file, 1280, 'light', (page) =>
      page.evaluate(() => {
        const rows = [...document.querySelectorAll('#layers tr')];
        const row = rows.find((one) => one.firstElementChild?.textContent === 'conv_1')!;
        return [...row.querySelectorAll('svg')].map((svg) =>
          [...svg.querySelectorAll('rect')].map(
            (rect) => rect.getBoundingClientRect().width / svg.getBoundingClientRect().width,
          ),
        );
      }),
    );
    // 8 of 16 channels; 800 of 2000 MACs, of which 400 are left.
    const [channels, macs] = lengths as [number[], number[]];
    expect(channels.map((share) => share.toFixed(2))).toEqual(['1.00', '0.50']);
    expect(macs.map((share) => share.toFixed(2))).toEqual(['1.00', '0.50']);
  });

  test('curves run through the values', async () => {
    const curves = await visit(file, 1280, 'light', (page) =>
      page.evaluate(() =>
        [...document.querySelectorAll('#map .card, #training .card')].map((card) => ({
          title: card.querySelector('figcaption')!.textContent,
          lines: [...card.querySelectorAll<SVGPathElement>('g.line path')].map((line) => {
            const points = line.getAttribute('d')!.match(/-?[\d.]+,-?[\d.]+/g)!;
            return points.map((point) => point.split(',').map(Number) as [number, number]);
          }),
          shown: [...card.querySelectorAll<SVGPathElement>('g.line path')].every((line) => {
            const box = line.getBoundingClientRect();
            return box.width > 100 && getComputedStyle(line).stroke.startsWith('rgb');
          }),
        })),
      ),
    );
    expect(curves.map(({ title, lines }) => [title, lines.length])).toEqual([
      ['mAP on val (20 pictures)', 1],
      ['mAP on the training pictures held back', 1],
      ['Loss', 3],
      ['Learning rate', 1],
      ['Norm of the gradients', 1],
      ['Training speed', 1],
    ]);
    expect(curves.every(({ shown }) => shown)).toBe(true);
    const [line] = curves[0]!.lines;
    const [first, last] = [line![0]!, line!.at(-1)!];
    const epochs = line!.map(([x]) => (3 * (x - first[0])) / (last[0] - first[0]));
    runDocument.metrics.forEach(({ epoch }, i) => {
      expect(epochs[i]).toBeCloseTo(epoch, 2);
    });
    // From 0.75 at the first point down to 0.5 at the second.
    const scale = 0.25 / (line![1]![1] - first[1]);
    runDocument.metrics.forEach(({ map }, i) => {
      expect(0.75 - scale * (line![i]![1] - first[1])).toBeCloseTo(map!, 2);
    });
    // The loss halves in an epoch of ten steps.
    const [total] = curves[2]!.lines;
    const floor = 2 * total![10]![1] - total![0]![1];
    expect((floor - total![20]![1]) / (floor - total![0]![1])).toBeCloseTo(0.25, 2);
  });

  test('a chart that is alone is no larger than one of several', async () => {
    const lone = path.join(folder, 'finetune.html');
    writeFileSync(lone, rendered(finetuneDocument));
    const width = (place: string) =>
      visit(place, 1280, 'light', (page) =>
        page.evaluate(() => document.querySelector('#map .card')!.getBoundingClientRect().width),
      );
    expect(await width(lone)).toBe(await width(file));
  });

  test('who can’t see it finds landmarks, captions, heads and words for every picture', async () => {
    const found = await visit(file, 1280, 'light', (page) =>
      page.evaluate(() => {
        const all = (selector: string): Element[] => [...document.querySelectorAll(selector)];
        const labelled = (svg: Element): boolean => svg.closest('[role=img][aria-label], [aria-hidden=true]') !== null;
        return {
          landmarks: ['header', 'nav', 'main', 'footer', 'h1'].map((name) => all(name).length),
          sections: all('section').every(
            (section) => document.getElementById(section.getAttribute('aria-labelledby')!)?.tagName === 'H2',
          ),
          links: all('nav a').every((link) => document.querySelector(link.getAttribute('href')!)),
          captions: all('table').every((table) => table.querySelector('caption')?.textContent),
          heads: all('th').every((head) => head.hasAttribute('scope') && head.textContent),
          pictures: all('img').map((image) => [image.getAttribute('alt'), (image as HTMLImageElement).naturalWidth]),
          drawings: all('svg').every(labelled),
          title: document.title,
          language: document.documentElement.lang,
        };
      }),
    );
    expect(found).toMatchObject({
      ...{ landmarks: [1, 1, 1, 1, 1], sections: true, links: true, captions: true, heads: true, drawings: true },
      ...{ title: 'ssd.onnx → small.onnx', language: 'en' },
    });
    expect(found.pictures).toHaveLength(6);
    expect(found.pictures[0]).toEqual(['000001, before: cat 0.90', 320]);
  });

  test('hostile names are text, and nothing else', async () => {
    const found = await visit(hostileFile, 1280, 'light', async (page, seen) => {
      // What waits for a mouse, a focus or a click has its chance.
      for (const name of ['mouseover', 'focus', 'click']) {
        await page.evaluate((type) => {
          for (const element of document.querySelectorAll('*'))
            element.dispatchEvent(new Event(type, { bubbles: true }));
        }, name);
      }
      return {
        seen,
        ...(await page.evaluate(() => ({
          scripts: document.scripts.length,
          handlers: [...document.querySelectorAll('*')].filter((element) =>
            element.getAttributeNames().some((name) => name.startsWith('on')),
          ).length,
          sources: [...document.images].every((image) => image.src.startsWith('data:image/jpeg')),
          text: document.body.textContent.includes('</script><img src=x onerror=alert(1)>'),
        }))),
      };
    });
    expect(found).toEqual({ seen: [], scripts: 0, handlers: 0, sources: true, text: true });
  });
});
