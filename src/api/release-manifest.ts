// What a release says of itself: `release.json` beside its files, and a part of package.json. Written by the build, read by `upgrade --check`.

import { z } from 'zod';

const schemaNumber = z.int().min(1).max(100_000);

/** Of a store, as docs/reference/store.md tells its numbers. */
const storeFacts = z.object({
  /** The version to which the program brings a store. */
  schema: schemaNumber,
  /** The oldest version that a program must know to use such a store. */
  servesFrom: schemaNumber,
  /** The oldest version that the program migrates. */
  migratesFrom: schemaNumber,
});

const compatibility = z.object({
  /** Subprotocols of the tunnel that the gateway speaks. */
  wire: z.array(z.string().max(64)).max(16),
  store: z.object({ sqlite: storeFacts, postgres: storeFacts }),
});

/** Numbers as in Semantic Versioning 2.0.0, without what may stand behind `+`. */
const version = z
  .string()
  .regex(
    /^(?:0|[1-9]\d{0,8})(?:\.(?:0|[1-9]\d{0,8})){2}(?:-[0-9A-Za-z-]{1,20}(?:\.[0-9A-Za-z-]{1,20}){0,5})?$/,
  );

export const releaseManifest = z.object({
  name: z.literal('upstreamproxy'),
  version,
  /** Of its source. */
  created: z.iso.datetime().optional(),
  compatibility: compatibility.optional(),
});

export type StoreFacts = z.infer<typeof storeFacts>;
export type Compatibility = z.infer<typeof compatibility>;
export type ReleaseManifest = z.infer<typeof releaseManifest>;
