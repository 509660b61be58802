// From where it is known when versions of a registry came out.

import type { PackageRegistry } from './package-request.ts';

/**
 * `told`: the registry says it itself. `seen`: what it says of times is the word of an author, or nothing, so a version counts from when it was
 * seen first. `either`: it is told where the registry says it, or else seen.
 */
const versionTimes: Readonly<Record<PackageRegistry, 'told' | 'seen' | 'either'>> = {
  npm: 'told',
  pypi: 'told',
  cargo: 'told',
  go: 'seen',
  maven: 'seen',
  rubygems: 'either',
  oci: 'seen',
};

export const isCountedFromSeen = (registry: PackageRegistry): boolean => versionTimes[registry] === 'seen';

const words = { told: 'published', seen: 'first seen', either: 'published or first seen' } as const;

/** What a version was at the time from which it counts. */
export const publishedWord = (registry: PackageRegistry): string => words[versionTimes[registry]];
