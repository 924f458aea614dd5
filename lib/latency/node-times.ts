import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted } from '../abort';
import { benchFeeds, completeInputs, type InputChoices } from '../bench/feeds';
import { SsdPruneError } from '../errors';
import { DetectorSession } from '../evaluate/session';
import { inTemporaryFolder } from '../files';
import type { NodeProto } from '../model/onnx_pb';
import type { OnnxModel } from '../model/onnx-model';
import { capturedNames, subgraphs } from '../model/walk';
import { encodeModel } from '../model/write';

/** Milliseconds of the kernels that ONNX Runtime runs for a model, each the least of several runs. */
export interface NodeTimes {
  /** By position of the node in the graph. What is fused into a weighted node (activation, Add) is in its time. */
  readonly nodes: ReadonlyMap<number, number>;
  /** Kernels that ONNX Runtime adds by itself, such as changes of layout, and its own work between kernels, together. */
  readonly rest: number;
}

export interface ProfileOptions {
  /** Threads of the session; 0 is one a core. */
  threads: number;
  /** Runs; those before the memory has grown to its size are slower and so never the least. */
  runs: number;
  inputs: InputChoices;
  signal?: AbortSignal | undefined;
}

/** Time of a run that nothing disturbs, in milliseconds. */
export const undisturbedTime = ({ nodes, rest }: NodeTimes): number =>
  [...nodes.values()].reduce((a, b) => a + b, rest);

/** The lesser time of each kernel in two profiles of one model. */
export function leastTimes(a: NodeTimes, b: NodeTimes): NodeTimes {
  const nodes = new Map(a.nodes);
  for (const [node, time] of b.nodes) nodes.set(node, Math.min(time, nodes.get(node) ?? Number.POSITIVE_INFINITY));
  return { nodes, rest: Math.min(a.rest, b.rest) };
}

/**
 * How long each node of a model takes inside a whole run, by ONNX Runtime's own profile on the CPU. A kernel runs for a
 * millisecond at most in a small detector: the least of a few runs is hardly disturbed even where other processes take
 * turns on the cores, which whole runs always are.
 * @param weighted nodes with weights, which give their fused neighbours' kernels a place
 * @throws {SsdPruneError} what {@link DetectorSession.create} throws, and ERR_ABORTED
 */
export async function profileNodes(
  model: OnnxModel,
  weighted: ReadonlySet<number>,
  { threads, runs, inputs, signal }: ProfileOptions,
): Promise<NodeTimes> {
  throwIfAborted(signal);
  return inTemporaryFolder('profile', async (folder) => {
    const name = model.file ?? 'the model';
    const session = await DetectorSession.create(encodeModel(taggedCopy(model)), {
      threads,
      name,
      profile: path.join(folder, 'run'),
    });
    try {
      const feeds = benchFeeds(completeInputs(name, session.inputs, inputs), 1);
      await session.time(feeds, { runs });
    } finally {
      await session.close();
    }
    const [file] = await readdir(folder);
    if (file === undefined) throw new SsdPruneError('ERR_INTERNAL', 'ONNX Runtime wrote no profile.');
    return readProfile(await readFile(path.join(folder, file), 'utf8'), model, weighted);
  });
}

/**
 * A copy in which the names of nodes and of what they make tell the node's position: ONNX Runtime calls a kernel after
 * the one or the other, with additions of its own.
 */
function taggedCopy(model: OnnxModel): OnnxModel {
  const copy = model.clone();
  const captured = new Set(
    copy.graph.node.flatMap((node) => subgraphs(node).flatMap((body) => [...capturedNames(body)])),
  );
  const renamed = new Map<string, string>();
  copy.graph.node.forEach((node, index) => {
    node.name = `${tag(index)}n`;
    node.output.forEach((name, i) => {
      if (name !== '' && !captured.has(name)) renamed.set(name, `${tag(index)}${i}`);
    });
  });
  const rename = (name: string): string => renamed.get(name) ?? name;
  for (const node of copy.graph.node) {
    node.input = node.input.map(rename);
    node.output = node.output.map(rename);
  }
  for (const value of [...copy.graph.output, ...copy.graph.valueInfo]) value.name = rename(value.name);
  copy.invalidate();
  return copy;
}

const tag = (index: number): string => `ssd-prune#${index}#`;
const tagged = /ssd-prune#(\d+)#/;

interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  /** Begin and length in microseconds. */
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

/** Sums up a profile. Exported for the tests. */
export function readProfile(text: string, model: OnnxModel, weighted: ReadonlySet<number>): NodeTimes {
  const events = JSON.parse(text) as ProfileEvent[];
  const all = events.filter(({ cat, name }) => cat === 'Node' && name.endsWith('_kernel_time'));
  const kernels = new Map<string, ProfileEvent>();
  for (const event of all) {
    const known = kernels.get(event.name);
    if (!known || event.dur < known.dur) kernels.set(event.name, event);
  }
  const own = new Map<number, ProfileEvent[]>();
  let rest = betweenKernels(
    events.filter(({ name }) => name === 'model_run'),
    all,
  );
  for (const event of kernels.values()) {
    const found = tagged.exec(event.name);
    if (!found) rest += event.dur;
    else own.set(Number(found[1]), [...(own.get(Number(found[1])) ?? []), event]);
  }
  const places = new Map(model.graph.node.map((node, index) => [node, index]));
  const nodes = new Map<number, number>();
  for (const [index, events] of own) {
    for (const { dur, args } of events) {
      const isWeighted = /Conv|Gemm|MatMul/.test(args?.op_name ?? '');
      const at =
        isWeighted && !weighted.has(index) ? (weightedBefore(model, index, { places, weighted, own }) ?? index) : index;
      nodes.set(at, (nodes.get(at) ?? 0) + dur / 1000);
    }
  }
  return { nodes, rest: rest / 1000 };
}

/** Microseconds of a run in which no kernel runs, the least of all runs. */
function betweenKernels(runs: readonly ProfileEvent[], kernels: readonly ProfileEvent[]): number {
  const gaps = runs.map(({ ts, dur }) =>
    kernels.reduce((left, kernel) => (kernel.ts >= ts && kernel.ts < ts + dur ? left - kernel.dur : left), dur),
  );
  // The kernels in the bodies of If and Loop are in their node's time, too.
  return gaps.length > 0 ? Math.max(0, Math.min(...gaps)) : 0;
}

/** The nearest weighted node before another that has no kernel of its own: the one that was fused with it. */
function weightedBefore(
  model: OnnxModel,
  index: number,
  known: {
    places: ReadonlyMap<NodeProto, number>;
    weighted: ReadonlySet<number>;
    own: ReadonlyMap<number, unknown>;
  },
): number | undefined {
  const queue = [index];
  for (const at of queue) {
    for (const input of model.graph.node[at]!.input) {
      const producer = model.producer(input);
      const before = producer && known.places.get(producer);
      if (before === undefined || known.own.has(before)) continue;
      if (known.weighted.has(before)) return before;
      queue.push(before);
    }
  }
  return undefined;
}
