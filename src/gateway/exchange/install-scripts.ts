// Whether an archive has something that its clients run when they install it, where a rule has that told. Nothing is refused for it.

import type { PackageFacts } from '../../api/audit-facts.ts';
import type { DecidedPackage } from '../../policy/decision.ts';
import type { PromisedPackage } from '../packages/asked-package.ts';

type Told = NonNullable<PackageFacts['installScripts']>;

/** Registries that say it in what they tell of a package. */
export const isToldOfScripts = ({ registry, tellsScripts }: DecidedPackage): boolean =>
  tellsScripts === true && (registry === 'npm' || registry === 'cargo');

/** Undefined: no rule has it told, or nothing is installed. */
export function installScriptsOf(
  { registry, tellsScripts, isArchive, file, promisedAs }: DecidedPackage,
  promised: PromisedPackage | undefined,
): Told | undefined {
  if (tellsScripts !== true || isArchive !== true) return undefined;
  // A wheel is unpacked. Of sources, clients run what builds them; what stands beside a file is not installed.
  if (registry === 'pypi') return file === promisedAs ? ofFile(file) : undefined;
  const { hasInstallScript } = promised ?? {};
  if (hasInstallScript === true) return 'yes';
  return hasInstallScript === false && registry === 'npm' ? 'no' : 'unknown';
}

const ofFile = (file = ''): Told => (/\.(?:whl|egg)$/.test(file) ? 'no' : 'yes');
