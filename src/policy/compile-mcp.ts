// `mcp` of a rule as it is written, to what is matched.

import type { McpInput } from '../understand/mcp-message.ts';
import { compileSchema } from './read-value-schema.ts';
import { unmeasured } from './matching-work.ts';
import { type McpCondition, mcpSessionParts } from './mcp-rule.ts';
import { matchesSegment, patternLengthMax } from './star-pattern.ts';
import type { RuleDocument } from './policy-schema.ts';
import { asList } from './schema-parts.ts';
import type { Report } from './yaml-source.ts';

/** Methods whose names say nothing yet: what they are about does, and has a key of its own. */
const keyOf: ReadonlyMap<string, 'tools' | 'resources' | 'prompts'> = new Map([
  ['tools/call', 'tools'],
  ['resources/read', 'resources'],
  ['resources/subscribe', 'resources'],
  ['resources/unsubscribe', 'resources'],
  ['prompts/get', 'prompts'],
]);

const everyInput: readonly McpInput[] = ['elicitation', 'sampling', 'roots', 'other'];

/** Problems go to `report`; the result is of use only if none was an error. */
export function compileMcp(document: RuleDocument, report: Report): McpCondition | undefined {
  const { mcp } = document;
  if (mcp === undefined) return undefined;
  const isDeny = document.deny !== undefined;
  if (document.methods !== undefined)
    report(['methods'], '"mcp" says the methods of HTTP already; remove "methods"');
  if (document.git !== undefined) report(['git'], "no request is both git's and of MCP; write two rules");
  if (!isDeny && document.paths === undefined)
    report(
      ['mcp'],
      'the rule is for every path of its hosts; write the path of the server, such as paths: /mcp',
    );
  const names = ['tools', 'resources', 'prompts', 'methods'] as const;
  const others = ['input', 'pins', 'sessions'] as const;
  if ([...names, ...others].every((key) => mcp[key] === undefined))
    report(['mcp'], 'write what it is about: tools, resources, prompts or methods');
  checkPins(document, report);
  if (mcp.arguments !== undefined && mcp.tools === undefined && mcp.pins === undefined)
    report(['mcp', 'arguments'], '"arguments" are those of a tool; write tools, such as tools: "*"');
  if (isDeny && mcp.input !== undefined)
    report(['mcp', 'input'], '"input" has no meaning in a rule that denies; remove it');
  if (isDeny && mcp.sessions === 'none')
    report(['mcp', 'sessions'], 'a rule that denies names what it denies; remove it');
  const sessions = asList(mcp.sessions ?? []);
  if (!isDeny && sessions.includes('resume') && !sessions.includes('stream'))
    report(
      ['mcp', 'sessions'],
      'a server that kept no events opens a new stream where one is gone on with; add stream, or remove resume',
    );
  for (const key of names) for (const one of asList(mcp[key])) checkPattern(key, one, isDeny, report);
  return {
    // With pins alone the tools are those that have one.
    tools: mcp.tools === undefined && mcp.pins !== undefined ? ['*'] : asList(mcp.tools),
    input: mcp.arguments,
    schema: compileArguments(document, report),
    resources: asList(mcp.resources),
    prompts: asList(mcp.prompts),
    methods: asList(mcp.methods),
    allowsInput: mcp.input === 'allow' ? everyInput : asList(mcp.input),
    pins: mcp.pins,
    isBeforeList: mcp.beforeList === 'allow',
    sessions: sessionsOf(document),
  };
}

function sessionsOf({ mcp, deny }: RuleDocument): McpCondition['sessions'] {
  const sessions = mcp?.sessions;
  if (sessions === undefined) return deny === undefined ? mcpSessionParts : [];
  return sessions === 'none' ? [] : asList(sessions);
}

function compileArguments({ mcp, deny }: RuleDocument, report: Report): McpCondition['schema'] {
  const schema = mcp?.argumentsSchema;
  if (schema === undefined) return undefined;
  if (mcp?.tools === undefined && mcp?.pins === undefined)
    report(
      ['mcp', 'argumentsSchema'],
      '"argumentsSchema" is about the arguments of a tool; write tools, such as tools: search',
    );
  // A call in which 5 is written as "5" would be past it, and the same call to a server that is lax.
  if (deny !== undefined)
    report(
      ['mcp', 'argumentsSchema'],
      'a schema says what may be called; write it in the rule that allows the tool, and "arguments" in one that denies',
    );
  compileSchema(schema, (path, message, severity) =>
    report(['mcp', 'argumentsSchema', ...path], message, severity),
  );
  return schema;
}

function checkPins({ mcp, deny }: RuleDocument, report: Report): void {
  if (mcp?.pins === undefined) {
    if (mcp?.beforeList !== undefined)
      report(['mcp', 'beforeList'], '"beforeList" is about tools that have a pin; write pins, or remove it');
    return;
  }
  if (deny !== undefined)
    report(['mcp', 'pins'], 'a pin says what may be called; write it in the rule that allows the tool');
  const tools = mcp.tools === undefined ? undefined : asList(mcp.tools);
  for (const tool of Object.keys(mcp.pins))
    if (tools !== undefined && !tools.some((one) => matchesSegment(one, tool, unmeasured)))
      report(['mcp', 'pins', tool], 'the rule does not name this tool; add it to tools, or leave tools out');
}

function checkPattern(key: string, pattern: string, isDeny: boolean, report: Report): void {
  if (pattern.length > patternLengthMax)
    report(['mcp', key], `a pattern is at most ${String(patternLengthMax)} characters long`);
  if (key !== 'methods' || isDeny) return;
  const own = keyOf.get(pattern);
  if (own !== undefined)
    report(['mcp', key], `${pattern} is allowed by what it is about; write ${own}, such as ${own}: "*"`);
}
