// Times mAP of detections that are in memory: `node scripts/bench-map.js [--small] [--runs N]`.
// 5,000 pictures, about a million detections of 20 classes, made here from a seed; no file is read.
const { evaluateDetections } = require('../dist/lib/evaluate/mean-ap.js');

const flags = process.argv.slice(2);
const small = flags.includes('--small');
const runs = flags.includes('--runs') ? Number(flags[flags.indexOf('--runs') + 1]) : small ? 3 : 15;
const [images, perImage, classes] = [small ? 100 : 5000, 200, 20];

/** Uniform numbers in 0 … 1 that depend on the seed alone (xorshift). */
function uniform(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Pictures with 1 to 8 objects; a quarter of the detections lie near an object of their class, the rest anywhere. */
function scene() {
  const random = uniform(12345);
  const samples = [];
  const detections = {
    image: new Int32Array(images * perImage),
    label: new Int32Array(images * perImage),
    score: new Float32Array(images * perImage),
    box: new Float32Array(images * perImage * 4),
  };
  let at = 0;
  for (let image = 0; image < images; image++) {
    const [width, height] = [500, 375];
    const objects = 1 + Math.floor(random() * 8);
    const boxes = new Float32Array(objects * 4);
    const labels = new Int32Array(objects);
    for (let i = 0; i < objects; i++) {
      const [w, h] = [20 + Math.floor(random() * 200), 20 + Math.floor(random() * 200)];
      const [x, y] = [1 + Math.floor(random() * (width - w)), 1 + Math.floor(random() * (height - h))];
      boxes.set([x, y, x + w - 1, y + h - 1], i * 4);
      labels[i] = 1 + Math.floor(random() * classes);
    }
    const difficult = Uint8Array.from(labels, () => (random() < 0.1 ? 1 : 0));
    const none = new Uint8Array(objects);
    samples.push({ id: String(image), image: '', width, height, boxes, labels, difficult, truncated: none });
    for (let i = 0; i < perImage; i++, at++) {
      const object = Math.floor(random() * objects);
      const near = random() < 0.25;
      const shift = () => (random() - 0.5) * 0.1;
      const corners = near
        ? [0, 1, 2, 3].map((side) => boxes[object * 4 + side] / (side % 2 === 0 ? width : height) + shift())
        : [random() * 0.6, random() * 0.6, 0.6 + random() * 0.4, 0.6 + random() * 0.4];
      detections.image[at] = image;
      detections.label[at] = near ? labels[object] : 1 + Math.floor(random() * classes);
      detections.score[at] = near ? random() : random() ** 3;
      detections.box.set(corners, at * 4);
    }
  }
  const names = ['background', ...Array.from({ length: classes }, (_, i) => `class ${i + 1}`)];
  const categoryIds = names.map((_, i) => i);
  const common = { format: 'voc', directory: '', split: 'val', warnings: [] };
  return { dataset: { ...common, classes: names, categoryIds, samples }, detections };
}

const { dataset, detections } = scene();
console.log(`${images} pictures, ${detections.image.length} detections, ${runs} runs`);
for (const protocol of ['detection_map', 'voc', 'coco']) {
  const seconds = [];
  let map;
  for (let run = 0; run < runs; run++) {
    const begin = performance.now();
    map = evaluateDetections(dataset, detections, { protocol }).map;
    seconds.push((performance.now() - begin) / 1000);
  }
  seconds.sort((a, b) => a - b);
  const [min, median] = [seconds[0], seconds[seconds.length >> 1]].map((value) => value.toFixed(3));
  console.log(`${protocol}: min ${min} s, median ${median} s (mAP ${map.toFixed(4)})`);
}
