// What go.sum has to have of a module, by the checksum database. The registry itself passes on what that says, and can't change it.

import type { DecidedPackage } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { versionText } from '../../understand/packages/package-request.ts';
import { askedOf, type PromisedPackage } from '../packages/asked-package.ts';
import {
  AlteredSums,
  type ChecksumDatabase,
  type LookedUp,
  type ModuleVersion,
  type ReadDatabase,
} from '../packages/checksums/checksum-database.ts';
import { CollectOctets } from '../packages/collect-octets.ts';
import { sumDatabasePath } from '../packages/metadata-address.ts';
import type { AskedPackage } from '../packages/publish-times.ts';
import { alarmEvent } from './alarm-event.ts';
import { type AskScene, askRegistry, questionAt } from './ask-registry.ts';

/** @param asksFirst whether what is not known is asked for @throws ProxyError package_altered where what is said of it is not what was signed */
export async function promisedSum(
  fetched: DecidedPackage,
  promisedAs: string,
  scene: AskScene,
  asksFirst: boolean,
): Promise<PromisedPackage | undefined> {
  const { checksums } = scene.parts;
  const { name, version } = fetched;
  if (checksums === undefined || version === undefined) return undefined;
  const own = askedOf(fetched, scene.access, []);
  const module = { name, version };
  const sums =
    checksums.known(module) ?? (asksFirst ? await lookUp(checksums, own, module, scene) : undefined);
  const digest = typeof sums === 'object' ? sums.get(promisedAs) : undefined;
  return digest === undefined ? undefined : { digest, asked: own };
}

async function lookUp(
  checksums: ChecksumDatabase,
  own: AskedPackage,
  module: ModuleVersion,
  scene: AskScene,
): Promise<LookedUp> {
  const question = questionAt(own, sumDatabasePath(own, checksums.name, '/latest'), scene);
  // What the session may not read, nobody asks for it.
  if (question === undefined) return 'unsaid';
  const read: ReadDatabase = async (path) => {
    const one = questionAt(own, sumDatabasePath(own, checksums.name, path), scene);
    if (one === undefined) return undefined;
    const collect = (...given: ConstructorParameters<typeof CollectOctets>) => new CollectOctets(...given);
    return await askRegistry(one, scene.asking, scene.parts, collect).catch(() => undefined);
  };
  const { scheme, host, port, path } = own.root;
  const place = JSON.stringify([scheme, host, port, path, ...question.asked.credentials]);
  try {
    return await checksums.lookUp(module, place, read);
  } catch (error) {
    if (error instanceof AlteredSums) {
      const { host } = own.root;
      const said = `what ${host} passes on of the checksum database ${checksums.name} about ${versionText(module)} ${error.message}`;
      tellAlteredSums(said, own, module, scene);
      throw new ProxyError('package_altered', said, { cause: error });
    }
    throw error;
  }
}

/** It may be the first sign of a registry in other hands, or of a database that signs two trees. */
function tellAlteredSums(
  said: string,
  own: AskedPackage,
  module: ModuleVersion,
  { access, asking: { principal }, parts: { audit, clock, publishTimes } }: AskScene,
): void {
  if (!publishTimes.altered(own)) return;
  const told = {
    action: 'package_altered',
    message: `${said}. The module was not delivered.`,
    package: { registry: own.registry, ...module },
  };
  audit.append(alarmEvent(told, { principal, access }, clock()));
}
