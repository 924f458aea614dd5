// A training graph as lib/train/plan.ts makes it.
#pragma once

#include <napi.h>

#include "engine/graph.h"

namespace ssd_prune {

Graph ReadGraph(const Napi::Object& object);

}  // namespace ssd_prune
