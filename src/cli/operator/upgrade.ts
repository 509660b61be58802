// `upstreamproxy upgrade --check`: whether there is a newer release. Nothing is installed, and nothing that a release says is run.

import { readFile } from 'node:fs/promises';
import { type ReleaseManifest, releaseManifest } from '../../api/release-manifest.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { packageVersion } from '../../system/package-version.ts';
import { upgradeDefinition } from '../commands/upgrade-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { commandOf } from '../terminal/command.ts';
import { noteVerbose } from '../terminal/notes.ts';
import { withProgress } from '../terminal/progress.ts';
import { listenForShutdown } from '../terminal/shutdown-signal.ts';
import { jsonLine } from '../terminal/text-table.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';
import { readCa } from '../../admin/admin-place.ts';
import { ownCompatibility } from './own-compatibility.ts';
import { releaseChanges } from './release-changes.ts';
import { downloadSentences, releaseDownloads } from './release-downloads.ts';
import { readReleaseFolder, readReleaseKey, releasedAtUrl } from './released-at-url.ts';
import { releasedOnNpm } from './released-on-npm.ts';

type UpgradeOptions = Input<typeof upgradeDefinition>['options'];

export const upgradeCommand = commandOf(upgradeDefinition, async ({ options }) => {
  if (!options.check)
    throw new ProxyError(
      'usage',
      'this program installs nothing by itself; say --check to look for a release',
    );
  const from = options.url === undefined ? 'npm' : readReleaseFolder(options.url).href;
  noteVerbose(options, `asks ${from}`);
  const text = await withProgress(
    options,
    () => `asks ${from}`,
    () => manifestText(options),
  );
  const release = readManifest(text, from);
  const version = packageVersion();
  const found = releaseChanges({ version, compatibility: ownCompatibility }, release);
  const signed = options.key !== undefined;
  const downloads = releaseDownloads(release, process.arch);
  process.stdout.write(
    options.json
      ? jsonLine({ version, latest: release.version, from, signed, ...found, ...downloads })
      : sentences(version, release.version, from, found) +
          (found.release === 'newer' ? downloadSentences(downloads) : ''),
  );
  return found.release === 'newer' ? 1 : 0;
});

async function manifestText({ url, key, ca }: UpgradeOptions): Promise<string> {
  if (url === undefined) {
    if (key !== undefined || ca !== undefined) throw new ProxyError('usage', '--key and --ca go with --url');
    using shutdown = listenForShutdown();
    return await releasedOnNpm(workloadEnvironment(process.env), shutdown.signal);
  }
  return await releasedAtUrl({
    url: readReleaseFolder(url),
    ca: ca === undefined ? undefined : await readCa(ca),
    key: key === undefined ? undefined : readReleaseKey(await readKeyFile(key), key),
  });
}

async function readKeyFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new ProxyError('config_invalid', `${file} cannot be read: ${faultReason(error)}`, { cause: error });
  }
}

/** @throws ProxyError release_unreachable */
function readManifest(text: string, from: string): ReleaseManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Refused below.
  }
  const read = releaseManifest.safeParse(value);
  if (read.success) return read.data;
  throw new ProxyError('release_unreachable', `what ${from} has is no release of this program`);
}

function sentences(
  version: string,
  latest: string,
  from: string,
  found: ReturnType<typeof releaseChanges>,
): string {
  switch (found.release) {
    case 'same':
      return `${version} is the newest release (${from}).\n`;
    case 'older':
      return `${version} runs here, and the newest release of ${from} is ${latest}, which is older. Nothing is to be done, but if you did not expect that, ask who publishes there.\n`;
    case 'newer': {
      const rolling =
        found.rolling === undefined
          ? ''
          : found.rolling
            ? 'Gateways can be replaced one after the other.\n'
            : 'Gateways of both versions cannot serve side by side.\n';
      return `${latest} is there (${from}); ${version} runs here.\n${found.changes.map((line) => `  ${line}\n`).join('')}${rolling}`;
    }
  }
}
