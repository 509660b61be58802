// What a client is told that asks for a package, by way of the session that it runs in.

import { archivePath, metadataPath, metadataType } from '../../gateway/packages/metadata-address.ts';
import type { RegistryRoot } from '../../policy/known-package.ts';
import { rootText } from '../../policy/package-rule.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { PackageRegistry } from '../../understand/packages/package-request.ts';
import { nameIn } from '../../understand/packages/read-package.ts';

export interface TestedRegistry {
  readonly registry: PackageRegistry;
  readonly root: RegistryRoot;
}

/** `refused` by the gateway, with what it says; `passed`: the registry was asked, and its status is this. */
export type TestOutcome =
  | { readonly kind: 'refused'; readonly says: string }
  | { readonly kind: 'passed'; readonly status: number };

export interface TestedPart {
  readonly part: 'list' | 'archive';
  readonly url: string;
  readonly outcome: TestOutcome;
}

/** The list of its versions, and the archive of one. @param fetch by way of the relay. @throws what it throws */
export async function testedPackage(
  { registry, root }: TestedRegistry,
  { name, version }: { readonly name: string; readonly version: string },
  fetch: (url: string, init: RequestInit) => Promise<Response>,
): Promise<readonly TestedPart[]> {
  const place = { registry, root, name: nameIn(registry, name), written: name };
  const paths = { list: metadataPath(place), archive: archivePath(place, version) };
  const parts: TestedPart[] = [];
  for (const part of ['list', 'archive'] as const) {
    const url = new URL(paths[part], rootText(root)).href;
    const accept = part === 'list' ? metadataType(registry) : undefined;
    const signal = AbortSignal.timeout(defaultLimits.publishTimesTimeoutMs);
    const response = await fetch(url, {
      headers: accept === undefined ? {} : { accept },
      redirect: 'manual',
      signal,
    });
    await response.body?.cancel();
    const says = response.headers.get('x-error-message') ?? '';
    const isOurs = response.status === 403 && says.startsWith('upstreamproxy: ');
    const outcome: TestOutcome = isOurs
      ? { kind: 'refused', says }
      : { kind: 'passed', status: response.status };
    parts.push({ part, url, outcome });
  }
  return parts;
}
