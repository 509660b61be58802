// What is known of packages beside what their registries say, where the configuration says so: advisories, and who may attest how they were built.

import { readFile } from 'node:fs/promises';
import { ProxyError } from '../protocol/error.ts';
import type { Store } from '../store/store.ts';
import type { TreeHeadStore } from '../store/tree-head-store.ts';
import type { SessionAudit } from './audit/session-audit.ts';
import type { Start } from './gateway-start.ts';
import { openAdvisories } from './open-advisories.ts';
import type { LiveAdvisories } from './packages/advisories/live-advisories.ts';
import { ChecksumDatabase, publicDatabaseKey } from './packages/checksums/checksum-database.ts';
import { noteKey } from './packages/checksums/signed-note.ts';
import { PackageProvenance } from './packages/package-provenance.ts';
import { SigstoreVerifier } from './packages/sigstore-verifier.ts';

interface PackageFacts {
  readonly advisories: LiveAdvisories | undefined;
  readonly provenance: PackageProvenance | undefined;
  readonly checksums: ChecksumDatabase;
}

/** @throws ProxyError config_invalid */
export async function openPackageFacts(
  start: Start,
  { treeHeads }: Pick<Store, 'treeHeads'>,
  record: SessionAudit['record'],
): Promise<PackageFacts> {
  const checksums = openChecksums(start, treeHeads);
  return {
    advisories: await openAdvisories(start, record),
    provenance: await openProvenance(start),
    checksums,
  };
}

function openChecksums({ config, clock }: Start, heads: TreeHeadStore): ChecksumDatabase {
  const text = config.packageTrust?.checksumDatabase ?? publicDatabaseKey;
  const key = noteKey(text);
  if (key === undefined)
    throw new ProxyError(
      'config_invalid',
      `packageTrust.checksumDatabase: ${text} is no key of a checksum database: its hash is not that of its name and key`,
    );
  return new ChecksumDatabase({ key, heads, limits: config.limits, clock });
}

async function openProvenance({ config, clock }: Start): Promise<PackageProvenance | undefined> {
  const file = config.packageTrust?.sigstore;
  if (file === undefined) return undefined;
  const root = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ProxyError('config_invalid', `${file}: the root of trust of Sigstore cannot be read`, {
      cause,
    });
  });
  return new PackageProvenance(await SigstoreVerifier.open(root, file), config.limits, clock);
}
