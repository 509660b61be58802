// The parser of GraphQL for Python, `graphql-core`: reads documents and tells, one by one, what they ask for.

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { findTool } from '../../support/tools.ts';

/**
 * A line for each document: `-` for what is refused, else its operations with the fields of their roots and the values of their
 * arguments. Whatever is spread is written out as servers do it, by the rules of the specification.
 */
const program = `
import sys, json, base64
from graphql import parse, FieldNode, InlineFragmentNode, OperationDefinitionNode, FragmentDefinitionNode
from graphql.utilities import value_from_ast_untyped
def fields(selections, fragments, seen, found):
    for one in selections:
        if isinstance(one, FieldNode): found.append(one)
        elif isinstance(one, InlineFragmentNode): fields(one.selection_set.selections, fragments, seen, found)
        elif one.name.value not in seen:
            seen.add(one.name.value)
            fields(fragments[one.name.value].selection_set.selections, fragments, seen, found)
    return found
def depth(selections, fragments):
    most = 0
    for one in selections:
        if isinstance(one, FieldNode):
            most = max(most, 1 + (depth(one.selection_set.selections, fragments) if one.selection_set else 0))
        elif isinstance(one, InlineFragmentNode): most = max(most, depth(one.selection_set.selections, fragments))
        else: most = max(most, depth(fragments[one.name.value].selection_set.selections, fragments))
    return most
def aliases(selections, fragments):
    count = 0
    for one in selections:
        if isinstance(one, FieldNode):
            count += (1 if one.alias else 0) + (aliases(one.selection_set.selections, fragments) if one.selection_set else 0)
        elif isinstance(one, InlineFragmentNode): count += aliases(one.selection_set.selections, fragments)
        else: count += aliases(fragments[one.name.value].selection_set.selections, fragments)
    return count
def plain(v):
    if isinstance(v, float) and v.is_integer(): return int(v)
    if isinstance(v, list): return [plain(x) for x in v]
    return {k: plain(x) for k, x in v.items()} if isinstance(v, dict) else v
def read(text, variables):
    document = parse(text)
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    told = []
    for d in document.definitions:
        if not isinstance(d, OperationDefinitionNode): continue
        known = {}
        for v in d.variable_definitions:
            name = v.variable.name.value
            if name in variables: known[name] = variables[name]
            elif v.default_value is not None: known[name] = value_from_ast_untyped(v.default_value)
        found = []
        for f in fields(d.selection_set.selections, fragments, set(), []):
            given = {}
            for a in f.arguments:
                if a.value.kind == 'variable' and a.value.name.value not in known: continue
                given[a.name.value] = value_from_ast_untyped(a.value, known)
            found.append(f.name.value + json.dumps(plain(given), sort_keys=True, ensure_ascii=True, separators=(',', ':')))
        selections = d.selection_set.selections
        told.append([d.operation.value, d.name.value if d.name else '', sorted(found), depth(selections, fragments), aliases(selections, fragments)])
    return told
sys.setrecursionlimit(20000)
for line in open(sys.argv[1]):
    asked = json.loads(base64.b64decode(line))
    try: print(json.dumps(read(asked['query'], asked.get('variables') or {}), ensure_ascii=True, separators=(',', ':')))
    except Exception: print('-')
`;

/** Undefined: it is not installed here. */
export async function readWithGraphqlCore(
  requests: readonly string[],
): Promise<readonly string[] | undefined> {
  const python = findTool('python3');
  if (python === undefined) return undefined;
  const run = promisify(execFile);
  try {
    await run(python, ['-c', 'import graphql']);
  } catch {
    return undefined;
  }
  await using directory = await temporaryDirectory();
  const [file, input] = [join(directory.path, 'read.py'), join(directory.path, 'requests')];
  await writeFile(file, program);
  await writeFile(input, requests.map((one) => `${Buffer.from(one).toString('base64')}\n`).join(''));
  const { stdout } = await run(python, [file, input], { maxBuffer: 64 * 1024 * 1024 });
  return stdout.split('\n').slice(0, -1);
}
