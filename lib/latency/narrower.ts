import type { OnnxModel } from '../model/onnx-model';
import type { KeptCounts } from '../prune/cost';
import { cutChannels } from '../prune/cut';
import type { Pruner } from '../prune/prune';

/** The model with so many members of each group, the first ones that may go being gone: times don't hang on which. */
export function narrower({ graph, groups, infer }: Pruner, kept: KeptCounts): OnnxModel {
  const removed = new Set<number>();
  for (const { id, classes, locks } of groups.groups) {
    const mayGo = Array.from(classes).filter((_, member) => !locks[member]);
    for (const root of mayGo.slice(0, classes.length - kept[id]!)) removed.add(root);
  }
  return cutChannels(graph, removed, infer).model;
}
