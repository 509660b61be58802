// What holds for every coding agent behind the gateway.

import assert from 'node:assert/strict';

import type { ModelServer } from './model-server.ts';
import { recipeSecret } from './recipe-stage.ts';

/** What the model has the agent fetch; no rule of a recipe allows it. */
export const fetchedUrl = 'https://example.com/';

/** How a command of the agent hears of that. */
export const fetchRefused =
  /upstreamproxy: No rule allows GET https:\/\/example\.com\/\.[^]*rule: default-deny/;

/** The model was asked, each time with the real key, and nothing else of its API was needed. */
export function assertThroughGateway({ credentials, unknown }: ModelServer): void {
  assert.ok(credentials.length > 1, `${credentials.length} requests`);
  assert.deepEqual(new Set(credentials), new Set([recipeSecret]));
  assert.deepEqual(unknown, []);
}
