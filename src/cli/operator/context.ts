// `upstreamproxy context`: the admin APIs that one has logged in to.

import { contextDefinition } from '../commands/context-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { tableStyle } from '../terminal/table-style.ts';
import { jsonLine, textTable } from '../terminal/text-table.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';
import { contextOf, contextsPath, readContexts, writeContexts } from './contexts.ts';
import { tellDone } from '../terminal/notes.ts';

type Actions = (typeof contextDefinition)['actions'];

function ownPath(): string {
  return contextsPath(workloadEnvironment(process.env));
}

async function list({ options }: Input<Actions[0]>): Promise<number> {
  const { current, contexts } = await readContexts(ownPath());
  if (options.json) {
    const lines = contexts.map(({ name, server }) => jsonLine({ name, server, isCurrent: name === current }));
    process.stdout.write(lines.join(''));
    return 0;
  }
  const rows = contexts.map(({ name, server }) => [name === current ? '*' : '', name, server]);
  process.stdout.write(textTable([['', 'name', 'server'], ...rows], tableStyle({ hasTitle: true })));
  return 0;
}

async function use({ options, arguments: { NAME: name } }: Input<Actions[1]>): Promise<number> {
  const path = ownPath();
  const kept = await readContexts(path);
  const { server } = contextOf(kept, name);
  await writeContexts(path, { ...kept, current: name });
  tellDone(options, `${name} is the current context: ${server}\n`);
  return 0;
}

async function remove({ options, arguments: { NAME: name } }: Input<Actions[2]>): Promise<number> {
  const path = ownPath();
  const { current, contexts } = await readContexts(path);
  contextOf({ contexts }, name);
  const left = contexts.filter((one) => one.name !== name);
  await writeContexts(path, { current: current === name ? undefined : current, contexts: left });
  tellDone(options, `forgot ${name}\n`);
  return 0;
}

export const contextCommand = groupOf(contextDefinition, { list, use, remove });
