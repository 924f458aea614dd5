import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CompressionEvent } from '../../compress/events';
import type { RunConfig } from '../../config/config';
import { SsdPruneError } from '../../errors';
import type { RunLog } from '../event-queue';
import { bodyOf } from './frame';
import { LivePage } from './live';

export interface PageServerOptions {
  /** Defaults to any that is free. */
  port?: number;
  /** Milliseconds between two looks of a page, at least; drawing takes some. Defaults to `3000`. */
  every?: number;
  /** What the run was told to do, shown as its settings. */
  config?: RunConfig;
}

/** Takes the new body in the old one's place; what was folded out stays so. */
const script = `
const source = new EventSource('events');
source.onmessage = ({ data }) => {
  const { body, done } = JSON.parse(data);
  const open = [...document.querySelectorAll('details')].map((details) => details.open);
  const last = document.body.lastElementChild;
  document.body.innerHTML = body;
  document.body.append(last);
  document.querySelectorAll('details').forEach((details, i) => { details.open = open[i] ?? false; });
  if (done) source.close();
};
`;

/** Milliseconds in which pages that look get to know of the end. */
const lastWords = 1000;

const headers = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/**
 * Shows a run that is going on to a browser on this machine, and to nobody else: bound to 127.0.0.1, and only for who
 * asks for it by that name, so that no other site's page can have it read. Draws only while somebody looks.
 */
export class PageServer implements RunLog {
  readonly #server: Server;
  readonly #page: LivePage;
  readonly #every: number;
  readonly #watching = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;
  #failure: string | undefined;
  /** The body of the run's own page, once there is one. */
  #finished: string | undefined;

  private constructor(every: number, config: RunConfig | undefined) {
    this.#every = every;
    this.#page = new LivePage(config);
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /** @throws {SsdPruneError} ERR_IO where the port can't be had */
  static async open({ port = 0, every = 3000, config }: PageServerOptions = {}): Promise<PageServer> {
    const own = new PageServer(every, config);
    await new Promise<void>((resolve, reject) => {
      own.#server.once('error', (error) => {
        reject(
          new SsdPruneError(
            'ERR_IO',
            `Can't serve a page on port ${port}: ${error.message}; name another one, or none for any that is free`,
            { cause: error },
          ),
        );
      });
      own.#server.listen(port, '127.0.0.1', resolve);
    });
    // A run that is done ends the process, whoever looks.
    own.#server.unref();
    return own;
  }

  /** Where the page is. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  event(event: CompressionEvent): void {
    this.#page.add(event);
    if (this.#watching.size > 0) this.#timer ??= setTimeout(() => this.#show(false), this.#every).unref();
  }

  /** What the page says of its end, where that is no success. */
  failed(message: string): void {
    this.#failure = message;
  }

  /** The run is through: its own page, which holds more, is shown in the end. */
  finished(page: string): void {
    this.#finished = bodyOf(page);
  }

  /** Shows the end, which pages keep. */
  async close(): Promise<void> {
    this.#page.end(this.#failure);
    this.#show(true);
    for (const response of this.#watching) response.end();
    await new Promise<void>((resolve) => {
      // Who has asked for nothing, or doesn't read, is not waited for.
      const late = setTimeout(() => this.#server.closeAllConnections(), lastWords);
      this.#server.close(() => {
        clearTimeout(late);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }

  #show(done: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#watching.size === 0) return;
    const body = this.#finished ?? this.#page.body().markup;
    const data = `data: ${JSON.stringify({ body, done })}\n\n`;
    for (const response of this.#watching) {
      // Who doesn't read what there is gets the next one.
      if (done || response.writableLength === 0) response.write(data);
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const refuse = (status: number, why: string): void => {
      response.writeHead(status, { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }).end(`${why}\n`);
    };
    // A name of somebody else's that leads to this machine would give their page what this one says.
    const names = [`127.0.0.1:${this.#port}`, `localhost:${this.#port}`];
    const { host = '', 'sec-fetch-site': site } = request.headers;
    if (!names.includes(host)) refuse(403, `Ask for ${this.url}`);
    else if (request.method !== 'GET') refuse(405, 'Only GET');
    else if (request.url === '/') {
      response.writeHead(200, { ...headers, 'Content-Type': 'text/html; charset=utf-8' }).end(this.#page.page(script));
    } else if (request.url !== '/events') refuse(404, 'There is nothing here');
    else if (site === 'cross-site') refuse(403, 'Only for the page itself');
    else {
      response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream' });
      response.write('retry: 2000\n\n');
      this.#watching.add(response);
      response.on('close', () => this.#watching.delete(response));
    }
  }
}
