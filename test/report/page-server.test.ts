import { type ChildProcess, spawn } from 'node:child_process';
import { request } from 'node:http';
import { connect } from 'node:net';
import path from 'node:path';
import { launch, missing, watch } from './browser';
import { hostile, pruneDocument, stepPoints } from './documents';

const server = path.resolve(__dirname, '..', '..', 'dist', 'lib', 'report', 'page', 'server.js');
/** Serves a page, tells its address, and takes events as lines; `close` ends it. In plain Node: jest can't load Plot. */
const script = `const { PageServer } = require(${JSON.stringify(server)});
  PageServer.open({ every: 50 }).then((page) => {
    console.log(page.url);
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) =>
      line === 'close' ? page.close().then(() => process.exit(0))
        : line.startsWith('<') ? page.finished(line) : page.event(JSON.parse(line)));
  });`;

let child: ChildProcess;
let url: string;
const tell = (...events: object[]): void => {
  for (const event of events) child.stdin!.write(`${JSON.stringify(event)}\n`);
};

beforeEach(async () => {
  child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  url = await new Promise((resolve) => child.stdout!.once('data', (text) => resolve(String(text).trim())));
});
afterEach(() => child.kill());

const cut = (name: string) => ({
  ...{ event: 'cut', strategy: name, epoch: 0 },
  report: {
    ...pruneDocument,
    macs: { before: 2000, after: 1500, cut: 0.25 },
    layers: pruneDocument.layers.map((layer) => ({ ...layer, name: `${name} ${layer.name}` })),
  },
});
const metric = (stage: string, epoch: number, map: number) => ({
  ...{ event: 'metric', stage, epoch, step: 0, map, meanOver20: null, seconds: 1 },
});
const steps = (from: number, to: number) =>
  stepPoints.slice(from, to).map((point) => ({ event: 'step', secondsLeft: 3, ...point }));
const begin = { event: 'begin', epochs: 3, resumed: null };

interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  text: string;
}

const ask = (place: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const asked = request({ hostname, port, path: place, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    asked.on('error', reject).end();
  });

test('answers on 127.0.0.1, to who asks by that name, and nothing but the page', async () => {
  tell(begin, metric('start', 0, 0.75));
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  const { port } = new URL(url);
  const page = await ask('/');
  expect(page.status).toBe(200);
  expect(page.headers).toMatchObject({
    ...{ 'content-type': 'text/html; charset=utf-8', 'x-content-type-options': 'nosniff' },
    ...{ 'cache-control': 'no-store', 'content-security-policy': "frame-ancestors 'none'" },
    'cross-origin-resource-policy': 'same-origin',
  });
  expect(page.headers['access-control-allow-origin']).toBeUndefined();
  expect((await ask('/', { host: `localhost:${port}` })).status).toBe(200);
  // A name that somebody else has lead here, and this machine's under another port.
  for (const host of [`evil.example:${port}`, 'evil.example', '127.0.0.1', `127.0.0.1.evil.example:${port}`]) {
    expect([host, (await ask('/', { host })).status]).toEqual([host, 403]);
    expect([host, (await ask('/events', { host })).status]).toEqual([host, 403]);
  }
  expect((await ask('/events', { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  for (const place of ['/../package.json', '/%2e%2e/package.json', '/favicon.ico', '/events/', '//evil.example/']) {
    expect([place, (await ask(place)).status]).toEqual([place, 404]);
  }
  expect((await ask('/', {}, 'POST')).status).toBe(405);
});

const inBrowser = missing === undefined ? test : test.skip;

inBrowser('the page follows the run without being loaded again, and keeps what was folded out', async () => {
  tell(begin, metric('start', 0, 0.75), cut(hostile[0]!), metric('cut', 0, 0.5), ...steps(0, 10));
  const browser = await launch();
  try {
    const page = await browser.newPage();
    const seen = watch(page, url);
    await page.goto(url, { waitUntil: 'load' });
    const points = () =>
      page
        .locator('#map .line path')
        .first()
        .getAttribute('d')
        .then((d) => d!.match(/[ML]/g)!.length);
    expect(await points()).toBe(2);
    expect(await page.locator('header p').textContent()).toBe('epoch 1 of 3, step 10 of 30, 3.0 s of training left');
    await page.evaluate('document.querySelector("#map details").open = true; window.mark = 1');
    tell(metric('epoch', 1, 0.625), ...steps(10, 20));
    await page.locator('header p', { hasText: 'step 20 of 30' }).waitFor();
    expect(await points()).toBe(3);
    expect(await page.evaluate('[document.querySelector("#map details").open, window.mark]')).toEqual([true, 1]);
    expect(await page.locator('#layers tbody th').first().textContent()).toBe(`${hostile[0]} conv_1`);
    tell(metric('epoch', 2, 0.6875), ...steps(20, 30));
    child.stdin!.write('close\n');
    await page.locator('header p', { hasText: /ended$/ }).waitFor();
    expect(await points()).toBe(4);
    expect(seen).toEqual([`request: ${url}events`]);
  } finally {
    await browser.close();
  }
});

test('a run that goes on shows what it was before', async () => {
  const { event: _, ...first } = cut('first');
  const before = [metric('start', 0, 0.9375), metric('cut', 0, 0.25), metric('epoch', 1, 0.5)];
  const soFar = { step: 10, epoch: 1, metrics: before, cuts: [{ ...first, step: 0 }], heldBack: [], warnings: ['odd'] };
  tell({ ...begin, resumed: 'checkpoints/000003-epoch-1-step-10', soFar }, metric('epoch', 2, 0.75));
  const { text } = await ask('/');
  expect(text).toContain('first conv_1');
  expect(text).toContain('odd');
  const row = /<tr><th[^>]*>mAP<.*?<\/tr>/.exec(text)![0].replaceAll(/<[^>]*>/g, ' ');
  expect(row).toMatch(/0\.9375\s+0\.7500/);
});

test('who asks for nothing, or doesn’t read, holds nobody up', async () => {
  tell(begin, ...steps(0, 20));
  const { hostname, port } = new URL(url);
  const silent = connect(Number(port), hostname);
  const deaf = connect(Number(port), hostname);
  for (const socket of [silent, deaf]) {
    socket.on('error', () => {});
    await new Promise((resolve) => socket.on('connect', resolve));
  }
  deaf.pause();
  deaf.write(`GET /events HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const begun = Date.now();
  child.stdin!.write('close\n');
  expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0);
  expect(Date.now() - begun).toBeLessThan(10_000);
  for (const socket of [silent, deaf]) socket.destroy();
});

test('in the end the run’s own page is shown', async () => {
  tell(begin, metric('start', 0, 0.75));
  const events = ask('/events');
  await new Promise((resolve) => setTimeout(resolve, 200));
  child.stdin!.write('<html><body><main>all of it</main></body></html>\nclose\n');
  const [last] = (await events).text.match(/data: .*/g)!.slice(-1);
  expect(JSON.parse(last!.slice(6))).toEqual({ done: true, body: '<main>all of it</main>' });
});

test('the end comes though somebody looks', async () => {
  tell(begin, metric('start', 0, 0.75));
  const events = ask('/events');
  await new Promise((resolve) => setTimeout(resolve, 200));
  child.stdin!.write('close\n');
  const { text } = await events;
  const [last] = text.match(/data: .*/g)!.slice(-1);
  expect(JSON.parse(last!.slice(6))).toMatchObject({ done: true, body: expect.stringContaining('ended') });
  expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0);
});
