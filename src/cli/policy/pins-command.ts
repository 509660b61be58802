// `upstreamproxy policy pins`: a hash of each tool that a server of MCP lists, to be written into a rule.

import { Buffer } from 'node:buffer';
import { definitionDigest } from '../../gateway/exchange/pinned-tools.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { EventStreamReader } from '../../understand/event-stream.ts';
import { JsonObject, type JsonValue, UnreadableBody } from '../../understand/json-value.ts';
import { listProblem } from '../../understand/mcp-lists.ts';
import { readJson } from '../../understand/read-json.ts';
import { isList } from '../../understand/write-json.ts';
import type { policyDefinition } from '../commands/policy-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { harmlessText, jsonLine } from '../terminal/text-table.ts';
import { readAskedBody } from './asked-body.ts';

type PinsInput = Input<(typeof policyDefinition)['actions'][10]>;

export async function pinsCommand({ options, arguments: { FILE: files } }: PinsInput): Promise<number> {
  if (files.length === 0)
    throw new ProxyError('usage', 'name the files with the pages of the list, or - for standard input');
  const pins = new Map<string, string>();
  let goesOn = false;
  for (const file of files) {
    const page = pageOf(await readAskedBody(file), file);
    goesOn = page.goesOn;
    for (const [tool, digest] of page.pins) {
      const before = pins.get(tool);
      if (before !== undefined && before !== digest)
        throw broken(file, `it has the tool ${JSON.stringify(tool)} a second time, defined in another way`);
      pins.set(tool, digest);
    }
  }
  if (goesOn)
    throw new ProxyError(
      'usage',
      'the list goes on behind its last page here (nextCursor); name the files of all its pages in their order',
    );
  const lines = [...pins].map(([tool, digest]) => `  ${harmlessText(keyText(tool))}: ${digest}\n`);
  process.stdout.write(
    options.json ? jsonLine({ pins: Object.fromEntries(pins) }) : `pins:\n${lines.join('')}`,
  );
  return 0;
}

/** A name as a key of YAML. */
function keyText(tool: string): string {
  return /^[A-Za-z][\w./-]*$/.test(tool) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(tool)
    ? tool
    : JSON.stringify(tool);
}

interface Page {
  readonly pins: readonly (readonly [tool: string, digest: string])[];
  readonly goesOn: boolean;
}

/** A response to tools/list: JSON, or a stream with it in one of its events. */
function pageOf(octets: Buffer, file: string): Page {
  const result = octets.subarray(0, 20).toString('latin1').trimStart().startsWith('{')
    ? resultOf(octets, file)
    : eventsOf(octets)
        .map((text) => resultOf(Buffer.from(text), file))
        .find((one) => one !== undefined);
  const tools = result?.members.get('tools');
  if (result === undefined || !isList(tools)) throw broken(file, 'it is no response to tools/list');
  const pins = tools.map((tool) => {
    const name = tool instanceof JsonObject ? tool.members.get('name') : undefined;
    if (typeof name !== 'string') throw broken(file, 'it has a tool without a name');
    return [name, definitionDigest(tool)] as const;
  });
  return { pins, goesOn: (result.members.get('nextCursor') ?? null) !== null };
}

function eventsOf(octets: Buffer): readonly string[] {
  const reader = new EventStreamReader(defaultLimits.askedBodyBytesMax);
  const events = reader.push(Buffer.concat([octets, Buffer.from('\n\n')]));
  return events.map(({ data = '' }) => data).filter((data) => data.trim() !== '');
}

/** Undefined: a message that has no list. */
function resultOf(octets: Buffer, file: string): JsonObject | undefined {
  const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;
  const text = readJson(octets, { depthMax, valuesMax });
  if (text instanceof UnreadableBody) throw broken(file, `it ${text.reason}`);
  const problem = listProblem(text.value);
  if (problem !== undefined) throw broken(file, `it ${problem.reason}`);
  const result: JsonValue | undefined =
    text.value instanceof JsonObject ? text.value.members.get('result') : undefined;
  return result instanceof JsonObject && result.members.has('tools') ? result : undefined;
}

function broken(file: string, why: string): ProxyError {
  return new ProxyError('config_invalid', `cannot make pins of ${file}: ${why}`);
}
