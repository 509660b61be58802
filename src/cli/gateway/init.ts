// `upstreamproxy init`: the files of a first gateway, from four questions.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';

import { loadGatewayConfig } from '../../gateway/config/config.ts';
import { isPublicName } from '../../gateway/config/config-schema.ts';
import { hostDiscovery } from '../../gateway/policies/discover-hosts.ts';
import { builtInEntries } from '../../policy/catalog/built-in-entries.ts';
import { asList } from '../../policy/schema-parts.ts';
import { ProxyError } from '../../protocol/error.ts';
import { initDefinition } from '../commands/init-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { quoted } from '../definition/option-value.ts';
import { tellDone } from '../terminal/notes.ts';
import { commandOf } from '../terminal/command.ts';
import { harmlessText } from '../terminal/text-table.ts';
import { type FoundService, findServices } from './found-services.ts';
import { type FirstGateway, type FirstPolicy, gatewayText, nextSteps, policyText } from './init-files.ts';

type InitInput = Input<typeof initDefinition>;

const { choices } = initDefinition.options.start;
const isStart = (text: string): text is FirstPolicy => Object.hasOwn(choices, text);
const lastPort = 65_535;

export const initCommand = commandOf(
  initDefinition,
  async ({ options, arguments: { FOLDER: folder = '.' } }) => {
    const gateway = await firstGateway(options);
    if (!isPublicName(gateway.name))
      throw new ProxyError(
        'usage',
        `${quoted(gateway.name)} is not a name or address; give --name the name of the gateway, such as gateway.example.com, without a port`,
      );
    const services = await findServices('.', process.env);
    const untold = gateway.start === 'found' ? await untoldOf(services) : undefined;
    await mkdir(folder, { recursive: true });
    const files = [
      [
        join(folder, 'policy.yaml'),
        policyText(gateway, { services, ...(untold === undefined ? {} : { untold }) }),
      ],
      [join(folder, 'gateway.yaml'), gatewayText(gateway)],
    ] as const;
    const written: string[] = [];
    try {
      for (const [path, text] of files) {
        await writeNew(path, text);
        written.push(path);
      }
      // The configuration's own reader checks what was typed: files that it refuses never stay.
      await loadGatewayConfig(join(folder, 'gateway.yaml'));
    } catch (error) {
      for (const path of written) await rm(path, { force: true });
      throw error;
    }
    const names = files.map(([path]) => harmlessText(path)).join(' and ');
    const found = services.map(({ entry }) => `catalog/${entry}`).join(', ');
    const told = found === '' ? '' : `Found here, with rules in the policy: ${found}.\n`;
    tellDone(options, `${names} are written.\n${told}${nextSteps(gateway, folder)}`);
    return 0;
  },
);

/** Entries whose hosts a tool of this machine tells, where it does not. */
async function untoldOf(services: readonly FoundService[]): Promise<ReadonlySet<string>> {
  const discover = hostDiscovery();
  const untold = new Set<string>();
  for (const { entry } of services)
    for (const tool of new Set((builtInEntries[entry]?.parts ?? []).flatMap((part) => asList(part.discover))))
      await discover(tool).catch(() => untold.add(entry));
  return untold;
}

async function writeNew(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new ProxyError(
      'config_invalid',
      `${path} is there already, and is left as it is; name another folder: upstreamproxy init FOLDER`,
    );
  }
}

/** What the options say, what a person says at the terminal, or the defaults. */
async function firstGateway(options: InitInput['options']): Promise<FirstGateway> {
  const { name, port, start, yes } = options;
  const stateFolder = options['state-folder'];
  const isOpen = [name, port, stateFolder, start].includes(undefined);
  const canAsk = process.stdin.isTTY && process.stderr.isTTY;
  if (isOpen && !yes && !canAsk)
    throw new ProxyError(
      'usage',
      'there is no terminal to ask; give --name, --port, --state-folder and --start, or --yes for the defaults; see: upstreamproxy help init',
    );
  const ask = isOpen && !yes ? asker() : undefined;
  try {
    return {
      name:
        name ??
        (await ask?.text('By which name or address do containers reach the gateway?', 'localhost')) ??
        'localhost',
      port: port ?? (await ask?.port('On which port?', 8443)) ?? 8443,
      stateFolder:
        stateFolder ??
        (await ask?.text('Where does it keep keys, sessions and the audit?', 'state')) ??
        'state',
      start: start ?? (await ask?.start('What does the policy do at first?', 'observe')) ?? 'observe',
    };
  } finally {
    ask?.close();
  }
}

interface Asker {
  text(question: string, otherwise: string): Promise<string>;
  port(question: string, otherwise: number): Promise<number>;
  start(question: string, otherwise: FirstPolicy): Promise<FirstPolicy>;
  close(): void;
}

/** Asks on the terminal until what is typed can be used; an empty line takes the default. */
function asker(): Asker {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new AbortController();
  // The end of the input (Ctrl D) ends the command: nothing was written yet.
  lines.once('close', () => ended.abort());
  const ask = async (question: string, otherwise: string): Promise<string> => {
    try {
      const text = await lines.question(`${question} [${otherwise}] `, { signal: ended.signal });
      return text.trim() === '' ? otherwise : text.trim();
    } catch {
      throw new ProxyError('cancelled', 'it was ended, and nothing is written');
    }
  };
  return {
    text: ask,
    port: async (question, otherwise) => {
      for (;;) {
        const text = await ask(question, String(otherwise));
        const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
        if (port >= 1 && port <= lastPort) return port;
        process.stderr.write(`a number from 1 to ${lastPort}\n`);
      }
    },
    start: async (question, otherwise) => {
      const rows = Object.entries(choices).map(([word, meaning]) => `  ${word.padEnd(9)}${meaning}\n`);
      process.stderr.write(`${question}\n${rows.join('')}`);
      for (;;) {
        const text = await ask('Which?', otherwise);
        if (isStart(text)) return text;
        process.stderr.write(`one of ${Object.keys(choices).join(', ')}\n`);
      }
    },
    close: () => lines.close(),
  };
}
