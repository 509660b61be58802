// What could read a peer's input: every exported function that takes a text, octets or fields, or is called as a reader, and every
// exported class with a method that takes octets.

import { globSync, readFileSync } from 'node:fs';

import { parseSync } from 'oxc-parser';

export interface ExportedReader {
  /** `src/…/file.ts name` */
  readonly key: string;
  readonly file: string;
  /** Those that show that it was used: its own name, or the methods that take octets. */
  readonly functions: readonly string[];
}

const root = new URL('../../../', import.meta.url);
const folders = 'src/{http,gateway,net,protocol,policy,intercept,cli,admin}/**/*.ts';
const inputType =
  /^(?:readonly )?(?:string|Uint8Array|Buffer|HeaderList|RequestHead|IncomingMessage|Readable|Iterable<[^]*>|AsyncIterable<[^]*>)(?:\[\])*(?: \| undefined)?$/;
const octetType = /^(?:Uint8Array|Buffer)$/;
const readerName = /^(?:parse|read|decode|validate|canonical|classify)[A-Z]/;

interface Parameter {
  readonly typeAnnotation?: { readonly typeAnnotation: { readonly start: number; readonly end: number } };
  readonly left?: Parameter;
}

export function exportedReaders(): readonly ExportedReader[] {
  const files = globSync(folders, { cwd: root.pathname }).toSorted();
  return files.flatMap((file) => readersOf(file));
}

function readersOf(file: string): readonly ExportedReader[] {
  const text = readFileSync(new URL(file, root), 'utf8');
  const { program } = parseSync(file, text);
  const typesOf = (parameters: readonly Parameter[]): readonly string[] =>
    parameters.map((parameter) => {
      const found = (parameter.typeAnnotation ?? parameter.left?.typeAnnotation)?.typeAnnotation;
      return found === undefined ? '' : text.slice(found.start, found.end).replaceAll(/\s+/g, ' ');
    });
  return program.body.flatMap((statement): readonly ExportedReader[] => {
    if (statement.type !== 'ExportNamedDeclaration' || statement.declaration === null) return [];
    const { declaration } = statement;
    if (declaration.type === 'FunctionDeclaration') {
      const name = declaration.id?.name ?? '';
      // The parser's own types say less of parameters than they have.
      const types = typesOf(declaration.params as unknown as readonly Parameter[]);
      const isReader = readerName.test(name) || types.some((type) => inputType.test(type));
      return isReader ? [{ key: `${file} ${name}`, file, functions: [name] }] : [];
    }
    if (declaration.type !== 'ClassDeclaration') return [];
    const className = declaration.id?.name ?? '';
    const functions = declaration.body.body.flatMap((member) => {
      if (member.type !== 'MethodDefinition' || member.key.type !== 'Identifier') return [];
      const types = typesOf(member.value.params as unknown as readonly Parameter[]);
      return types.some((type) => octetType.test(type))
        ? [member.kind === 'constructor' ? className : member.key.name]
        : [];
    });
    return functions.length === 0 ? [] : [{ key: `${file} ${className}`, file, functions }];
  });
}
