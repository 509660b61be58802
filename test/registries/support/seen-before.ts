// A gateway of which the store has seen some versions long ago: of registries that do not say when these came out.

import { createHash } from 'node:crypto';
import { loadGatewayConfig } from '../../../src/gateway/config/config.ts';
import { openConfiguredStore } from '../../../src/gateway/config/store-settings.ts';
import { SeenVersions } from '../../../src/gateway/packages/seen-versions.ts';
import { parseRegistryRoot } from '../../../src/policy/compile-packages.ts';
import type { SeenItem } from '../../../src/store/first-seen-store.ts';
import type { PackageRegistry } from '../../../src/understand/packages/package-request.ts';
import { type GatewayProcess, startGatewayProcess } from '../../support/program.ts';
import { goModule, retracting } from './registries/go-proxy.ts';
import { imageName, imageOf } from './registries/images.ts';
import { mavenFiles } from './registries/maven.ts';
import type { ServedPackage } from './registries/served-package.ts';

const dayMs = 86_400_000;

interface SeenPackage {
  readonly registry: PackageRegistry;
  readonly index: string;
  readonly name: string;
  readonly items: readonly SeenItem[];
}

/** Starts the gateway once its store has seen them, each as long ago as it is out. */
export async function startHavingSeen(
  configFile: string,
  seen: readonly SeenPackage[],
): Promise<GatewayProcess> {
  const config = await loadGatewayConfig(configFile);
  {
    await using store = await openConfiguredStore(config, {});
    const versions = new SeenVersions(store.firstSeen, () => Date.now() - 300 * dayMs);
    for (const { registry, index, name, items } of seen) {
      const root = parseRegistryRoot(index);
      if (root === undefined) throw new Error(`${index} is no root`);
      await versions.see({ registry, root, name, written: name, credentials: [] }, items, {
        principalId: 'before',
        sessionId: 'before',
      });
    }
  }
  return await startGatewayProcess(configFile);
}

/** All but what is younger than a week. */
export function seenBefore(
  packages: readonly ServedPackage[],
  indexOf: (registry: PackageRegistry) => string,
): readonly SeenPackage[] {
  return packages.flatMap(({ name, versions }) => {
    const old = versions.filter(({ daysOut }) => daysOut > 7);
    const modules = [...old.map(({ version }) => version), retracting].map((version) => ({
      item: `v${version}`,
    }));
    const files = [...mavenFiles(packages)].flatMap(([path, { promised }]) => {
      const part = path.slice(`/maven2/test/example/${name}/`.length);
      const isOld = old.some(({ version }) => path.startsWith(`/maven2/test/example/${name}/${version}/`));
      const digest = `sha512-${createHash('sha512').update(promised).digest('base64')}`;
      return isOld ? [{ item: part, digest }] : [];
    });
    const images = old.flatMap((one) => imageOf(name, one).digests.map((item) => ({ item })));
    return [
      { registry: 'go', index: indexOf('go'), name: goModule(name), items: modules },
      { registry: 'maven', index: indexOf('maven'), name: `test.example:${name}`, items: files },
      { registry: 'oci', index: indexOf('oci'), name: imageName(name), items: images },
    ] as const;
  });
}
