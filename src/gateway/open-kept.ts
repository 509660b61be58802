// What a gateway keeps of what passes: bodies that rules ask for, archives of packages and what registries tell of them, on its disk; and in the
// store tokens that tools log in to.

import type { CapturedBodies } from './captured/captured-bodies.ts';
import type { Start } from './gateway-start.ts';
import { type CacheNeeds, type OpenCache, openCache } from './open-cache.ts';
import { openCaptured } from './open-captured.ts';
import type { InsideTokens } from './credentials/inside/inside-tokens.ts';
import { type InsideNeeds, openInside } from './open-inside.ts';

interface Kept extends OpenCache {
  readonly captured: CapturedBodies;
  readonly inside: InsideTokens;
}

/** @throws ProxyError config_invalid */
export async function openKept(start: Start, needs: CacheNeeds & InsideNeeds): Promise<Kept> {
  const captured = start.stack.use(await openCaptured(start.config.captured, start));
  return { captured, inside: openInside(start, needs), ...(await openCache(start, needs)) };
}
