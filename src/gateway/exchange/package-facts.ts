// What the audit says of a request for a package.

import type { PackageFacts } from '../../api/audit-facts.ts';
import type { DecidedPackage } from '../../policy/decision.ts';

export function packageFacts(decided: DecidedPackage): PackageFacts {
  const { registry, name, version, isArchive, publishedMs, operation, publishes } = decided;
  return {
    registry,
    name,
    ...(version === undefined ? {} : { version }),
    ...(operation === undefined ? {} : { operation }),
    ...(publishes === undefined ? {} : { digest: publishes }),
    ...(isArchive === undefined ? {} : { isArchive }),
    ...(publishedMs === undefined ? {} : { published: new Date(publishedMs).toISOString() }),
  };
}

/** What becomes known of an archive while it comes; undefined takes back what was said. */
export type KnownOfPackage = {
  readonly [Name in 'digest' | 'cache' | 'installScripts']?: PackageFacts[Name] | undefined;
};

/** With what became known of its archive. */
export function packageWith(facts: PackageFacts, known: KnownOfPackage): PackageFacts {
  const { digest, cache, installScripts, ...rest } = { ...facts, ...known };
  return {
    ...rest,
    ...(digest === undefined ? {} : { digest }),
    ...(cache === undefined ? {} : { cache }),
    ...(installScripts === undefined ? {} : { installScripts }),
  };
}
