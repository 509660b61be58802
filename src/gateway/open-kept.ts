// What a gateway keeps on its disk of what passes: bodies that rules ask for, archives of packages and what registries tell of them.

import type { CapturedBodies } from './captured/captured-bodies.ts';
import type { Start } from './gateway-start.ts';
import { type CacheNeeds, type OpenCache, openCache } from './open-cache.ts';
import { openCaptured } from './open-captured.ts';

interface Kept extends OpenCache {
  readonly captured: CapturedBodies;
}

/** @throws ProxyError config_invalid */
export async function openKept(start: Start, needs: CacheNeeds): Promise<Kept> {
  const captured = start.stack.use(await openCaptured(start.config.captured, start));
  return { captured, ...(await openCache(start, needs)) };
}
