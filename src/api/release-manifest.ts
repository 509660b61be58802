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

const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._~+-]{0,127}$/);

const releasedFile = z.object({
  name: fileName,
  /** As Node names it. */
  architecture: z.string().regex(/^[a-z0-9]{1,16}$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const releasedImage = z.object({
  name: fileName,
  /** Of the index, which names the images of all architectures. */
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
});

export const releaseManifest = z.object({
  name: z.literal('upstreamproxy'),
  version,
  /** Of its source. */
  created: z.iso.datetime().optional(),
  compatibility: compatibility.optional(),
  /** The programs, the packages of distributions, and the images. */
  programs: z.array(releasedFile).max(64).optional(),
  packages: z.array(releasedFile).max(64).optional(),
  images: z.array(releasedImage).max(16).optional(),
});

export type StoreFacts = z.infer<typeof storeFacts>;
export type Compatibility = z.infer<typeof compatibility>;
export type ReleaseManifest = z.infer<typeof releaseManifest>;
