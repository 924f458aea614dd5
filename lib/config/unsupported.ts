/** What PaddleSlim 1.x knows and ssd-prune doesn't do, by the name that a configuration has for it. */
export const unsupported: Readonly<Record<string, string>> = {
  quantizers: 'ssd-prune quantises nothing',
  distillers: 'what is learnt from is model.teacher',
  QuantizationStrategy: 'ssd-prune quantises nothing',
  MKLDNNPostTrainingQuantStrategy: 'ssd-prune quantises nothing',
  DistillationStrategy: 'what is learnt from is model.teacher',
  LightNASStrategy: 'ssd-prune searches no architectures',
  MagnitudePruner: 'whole channels are cut, by a StructurePruner',
  LightNASController: 'ssd-prune searches no architectures',
  LightNASSpace: 'ssd-prune searches no architectures',
  search_space: 'ssd-prune searches no architectures',
  uniform_range: 'AutoPruneStrategy begins with uniform widths and finds its way from there',
  init_tokens: 'AutoPruneStrategy begins with uniform widths and finds its way from there',
  RatioPruner: 'whole channels are cut, by a StructurePruner',
};

/** Why a name that PaddleSlim knows is refused; undefined for any other. */
export function whyUnsupported(name: string): string | undefined {
  const why = Object.hasOwn(unsupported, name) ? unsupported[name] : undefined;
  return why === undefined ? undefined : `${name} is not supported: ${why}`;
}
