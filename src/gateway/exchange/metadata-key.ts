// Under which key the cache has what a registry tells of the versions of a package.

import type { AllowDecision, DecidedPackage, RequestAccess } from '../../policy/decision.ts';
import type { ArchiveKey } from '../cache/cache-entry.ts';
import { askedOf } from '../packages/asked-package.ts';
import { isKeepable, reachOf } from './keepable.ts';
import { listedRegistries } from './metadata-form.ts';

/** Undefined: it carries a credential, or is changed on its way, or tells of no versions. */
export function metadataKeyOf(
  decision: AllowDecision,
  access: RequestAccess,
  accept: readonly string[],
  principal: string | undefined,
): ArchiveKey | undefined {
  const asked = listedBy(decision);
  if (asked === undefined || !isKeepable(decision, access)) return undefined;
  const form = accept.join(', ');
  if (form.length > 1024) return undefined;
  const { registry, root } = askedOf(asked, access, []);
  const { scheme, host, port } = access.destination;
  return {
    registry,
    root: `${root.scheme}://${root.host}:${String(root.port)}${root.path}`,
    name: asked.name,
    url: `${scheme}://${host}:${String(port)}${access.path}`,
    reach: reachOf(decision),
    accept: form,
    ...(principal === undefined ? {} : { principal }),
  };
}

/** What tells of the versions of a package, or of the registry; undefined: it is something else. */
export function listedBy({
  package: asked,
  registryFile,
}: Pick<AllowDecision, 'package' | 'registryFile'>): DecidedPackage | undefined {
  if (registryFile !== undefined) return { ...registryFile, name: 'config.json' };
  if (asked?.isArchive === true || asked?.version !== undefined || asked?.digest !== undefined)
    return undefined;
  return asked !== undefined && listedRegistries.has(asked.registry) ? asked : undefined;
}
