// A client of a registry, as a person uses it: it installs a range, and what a lock file or a pin names.

import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CommandResult, runCommand } from '../../../support/command.ts';
import type { PackageRegistry } from '../../../../src/understand/packages/package-request.ts';

export interface ClientScene {
  /** Of one project. */
  readonly folder: string;
  /** Of the package. */
  readonly name: string;
  readonly url: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface RegistryClient {
  readonly name: string;
  readonly registry: PackageRegistry;
  /** As it says it; undefined: it is not here. */
  version(): Promise<string | undefined>;
  /** The newest of 1.x, without a lock file; writes one if it has them. */
  install(scene: ClientScene): Promise<CommandResult>;
  /** What the lock file or the pin names. */
  locked(scene: ClientScene): Promise<CommandResult>;
  /** The version that it has got. */
  installed(scene: ClientScene): Promise<string | undefined>;
  /** All that it has, apart from the lock file. */
  readonly leftovers: readonly string[];
}

/** Of the first number that it says. */
export async function versionSaid(
  command: string,
  args: readonly string[] = ['--version'],
): Promise<string | undefined> {
  const said = await runCommand(command, args).catch(() => undefined);
  return said?.code === 0 ? /\d+\.\d+(?:\.\d+)*/.exec(said.stdout)?.[0] : undefined;
}

export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

/** A file that a client of npm has, in the folder of the run. */
export function fetchedFile(name: string): string | undefined {
  const file = join(process.env['TEST_REGISTRIES'] ?? '', 'node_modules', name);
  return existsSync(file) ? file : undefined;
}
