// What a message of MCP asks for, and messages that two servers could take for different ones.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HeaderList } from '../../src/http/header-list.ts';
import { UnreadableBody } from '../../src/understand/json-value.ts';
import { type McpMessage, mcpMessageOf } from '../../src/understand/mcp-message.ts';
import { jsonBody } from '../policy/fixture.ts';

type Fields = readonly (readonly [string, string])[];

function messageOf(text: string, fields: Fields = []): McpMessage | UnreadableBody {
  const body = jsonBody(text);
  assert.equal(body.kind, 'json');
  return mcpMessageOf(body.value, new HeaderList(fields));
}

const message = (more: object): string => JSON.stringify({ jsonrpc: '2.0', id: 1, ...more });
const asks = (method: string, params?: object): string =>
  message({ method, ...(params === undefined ? {} : { params }) });

describe('what a message is about', () => {
  for (const [text, expected] of [
    [asks('tools/call', { name: 'search' }), 'request tools/call tool search'],
    [asks('resources/read', { uri: 'file:///a' }), 'request resources/read resource file:///a'],
    [
      asks('resources/read', { uri: 'file:///a/..b/%20/%C3%A9.x' }),
      'request resources/read resource file:///a/..b/%20/%C3%A9.x',
    ],
    [asks('resources/subscribe', { uri: 'x:y' }), 'request resources/subscribe resource x:y'],
    [asks('prompts/get', { name: 'p' }), 'request prompts/get prompt p'],
    [
      asks('completion/complete', { ref: { type: 'ref/prompt', name: 'p' }, argument: {} }),
      'request completion/complete prompt p',
    ],
    [
      asks('completion/complete', { ref: { type: 'ref/resource', uri: 'u' } }),
      'request completion/complete resource u',
    ],
    [asks('tools/list'), 'request tools/list'],
    ['{"jsonrpc":"2.0","method":"notifications/initialized"}', 'notification notifications/initialized'],
    [message({ result: {} }), 'response '],
    [message({ error: { code: -1, message: 'no' } }), 'response '],
    [message({ error: { code: -1, message: 'no', data: 'x' } }), 'response  other'],
    [message({ result: { roots: [] } }), 'response  roots'],
    [message({ result: { action: 'decline' } }), 'response '],
    [message({ result: { action: 'accept', content: {} } }), 'response  elicitation'],
    [message({ result: { action: 'decline', content: { secret: 1 } } }), 'response  elicitation'],
    [message({ result: { role: 'assistant', content: {}, model: 'm' } }), 'response  sampling'],
    [message({ result: { action: 'accept', roots: [] } }), 'response  elicitation roots'],
    [message({ result: { content: [] } }), 'response  other'],
    [message({ result: 'x' }), 'response  other'],
    [asks('tools/call', { name: 'a', inputResponses: {} }), 'request tools/call tool a'],
    [asks('tools/call', { name: 'a', inputResponses: ['x'] }), 'request tools/call tool a other'],
    [
      asks('tools/call', {
        name: 'a',
        inputResponses: { k: { action: 'accept' }, l: { roots: [] }, m: { action: 'cancel' } },
      }),
      'request tools/call tool a elicitation roots',
    ],
    [asks('tools/call', { name: 'a', arguments: { NAME: 'b' } }), 'request tools/call tool a'],
  ] as const)
    test(expected, () => {
      const said = messageOf(text);
      assert.ok(!(said instanceof UnreadableBody), text);
      const { kind, method, target, inputs } = said;
      const about = target === undefined ? '' : ` ${target.kind} ${target.name}`;
      assert.equal(`${kind} ${method}${about}${inputs.map((one) => ` ${one}`).join('')}`, expected);
    });
});

describe('what is no message that all servers read alike', () => {
  for (const [text, reason] of [
    [`[${asks('tools/list')}]`, /array of messages/],
    ['[]', /array of messages/],
    ['"tools/call"', /no JSON-RPC message/],
    ['{}', /2\.0/],
    [message({ jsonrpc: '1.0', method: 'x' }), /2\.0/],
    [message({ jsonrpc: 2, method: 'x' }), /2\.0/],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}', /"Method", which some parsers/],
    ['{"jsonrpc":"2.0","id":1,"METHOD":"tools/call"}', /"METHOD", which some parsers/],
    [
      '{"jsonrpc":"2.0","id":1,"method":"tools/list","\u0070aramſ":{}}',
      /which some parsers take for "params"/,
    ],
    [asks('tools/call', { name: 'a', Name: 'b' }), /"Name"/],
    [asks('tools/call', { name: 'a', Arguments: {} }), /"Arguments"/],
    [asks('TOOLS/call', { name: 'a' }), /letter case alone/],
    [asks('toolſ/call', { name: 'a' }), /letter case alone/],
    [asks('Completion/complete'), /letter case alone/],
    [asks('tools/call', { name: 'delete\0' }), /a name with a NUL/],
    [message({ result: { Action: 'accept' } }), /"Action"/],
    [asks('tools/call', { name: 'a', inputResponses: { k: { Roots: [] } } }), /"Roots"/],
    [asks('tools/call', {}), /without "name"/],
    [asks('tools/call'), /without "name"/],
    [asks('tools/call', { name: 7 }), /without "name"/],
    [asks('tools/call', { name: 'a', arguments: [] }), /arguments that are no object/],
    [asks('tools/call', ['a']), /params that are no object/],
    [asks('resources/read', { name: 'a' }), /without "uri"/],
    [
      asks('completion/complete', { ref: { type: 'ref/tool', name: 'a' } }),
      /neither a prompt nor a resource/,
    ],
    [asks('completion/complete', {}), /completion of nothing/],
    ...[
      'file:///repo/../etc',
      'file:///repo/%2e%2E/etc',
      'file:///repo/.%2e/x',
      String.raw`file:///repo/..\..\x`,
      ' a:b',
      'a:b\t',
      'sec\tret://v/k',
      'a://b/..',
      'a:..',
      'a:/b/./c',
      'a://b/%6bey',
    ].map((uri) => [asks('resources/read', { uri }), /writes in another way/] as const),
    [asks('completion/complete', { ref: { type: 'ref/resource', uri: 'a:/../b' } }), /writes in another way/],
    [message({ method: 7 }), /method that is no text/],
    [message({ id: null, method: 'x' }), /id that is neither/],
    ['{"jsonrpc":"2.0","id":9007199254740993,"method":"x"}', /id that some parsers round/],
    [message({ method: 'x', result: {} }), /request and a response/],
    [message({}), /neither a request nor a response/],
    [message({ result: {}, error: {} }), /neither a request nor a response/],
    ['{"jsonrpc":"2.0","result":{}}', /neither a request nor a response/],
  ] as const)
    test(text, () => {
      const said = messageOf(text);
      assert.ok(said instanceof UnreadableBody, JSON.stringify(said));
      assert.match(said.reason, reason);
    });
});

const versioned = (version: string): string =>
  asks('tools/call', { name: 'a', _meta: { 'io.modelcontextprotocol/protocolVersion': version } });

describe('fields that repeat the body have to agree with it', () => {
  for (const [name, text, fields, agrees] of [
    ['method', asks('tools/call', { name: 'a' }), [['Mcp-Method', 'tools/call']], true],
    ['another method', asks('tools/call', { name: 'a' }), [['Mcp-Method', 'tools/list']], false],
    ['name', asks('tools/call', { name: 'a' }), [['mcp-name', 'a']], true],
    ['name in another case', asks('tools/call', { name: 'a' }), [['mcp-name', 'A']], false],
    ['name of a message about nothing', asks('tools/list'), [['mcp-name', 'a']], false],
    ['uri', asks('resources/read', { uri: 'u' }), [['mcp-name', 'u']], true],
    ['encoded', asks('tools/call', { name: 'é' }), [['mcp-name', '=?base64?w6k=?=']], true],
    [
      'encoded with bits left over',
      asks('tools/call', { name: 'é' }),
      [['mcp-name', '=?base64?w6l=?=']],
      false,
    ],
    ['encoded without padding', asks('tools/call', { name: 'é' }), [['mcp-name', '=?base64?w6k?=']], false],
    ['encoded nonsense', asks('tools/call', { name: 'é' }), [['mcp-name', '=?base64?/w==?=']], false],
    [
      'twice',
      asks('tools/list'),
      [
        ['mcp-method', 'tools/list'],
        ['MCP-Method', 'tools/list'],
      ],
      false,
    ],
    ['with an underscore', asks('tools/list'), [['mcp_method', 'tools/list']], false],
    ['version', versioned('2026-07-28'), [['mcp-protocol-version', '2026-07-28']], true],
    ['another version', versioned('2026-07-28'), [['mcp-protocol-version', '2025-06-18']], false],
    ['version in the field alone', asks('tools/list'), [['mcp-protocol-version', '2025-06-18']], true],
  ] as const)
    test(name, () => {
      assert.equal(messageOf(text, fields) instanceof UnreadableBody, !agrees);
    });
});
