// `.netrc` of curl, git and ftp (netrc(5)): words, in any arrangement of lines.

import type { ReplaceSecret } from './secret-form.ts';

/** Machines with what stands for their passwords. `default` and macros are left out: they name no host. */
export function netrc(text: string, replace: ReplaceSecret): string {
  const words = wordsOf(text);
  const lines: string[] = [];
  for (let at = 0; at < words.length;) {
    const word = words[at];
    if (word !== 'machine' && word !== 'default') throw new Error(`no machine begins there`);
    const machine = word === 'machine' ? words[at + 1] : undefined;
    at += word === 'machine' ? 2 : 1;
    const said = new Map<string, string>();
    while (at < words.length && words[at] !== 'machine' && words[at] !== 'default') {
      const [name = '', value] = words.slice(at, at + 2);
      if (!['login', 'user', 'account', 'password', 'passwd'].includes(name) || value === undefined)
        throw new Error('a word is not known');
      said.set(name, value);
      at += 2;
    }
    if (machine === undefined) replace(said.get('password') ?? '', undefined);
    else lines.push(...machineLine(machine, said, replace));
  }
  return lines.join('');
}

function machineLine(
  machine: string,
  said: ReadonlyMap<string, string>,
  replace: ReplaceSecret,
): readonly string[] {
  const password = said.get('password') ?? said.get('passwd');
  const login = said.get('login') ?? said.get('user');
  if (password === undefined) return [];
  const place = /^[A-Za-z0-9.-]+$/.test(machine)
    ? { host: machine.toLowerCase(), port: 443, path: '/' }
    : undefined;
  const placeholder = replace(password, place);
  if (placeholder === undefined) return [];
  const name =
    login === undefined ? '' : ` login ${/^[^\s"\\#]+$/.test(login) ? login : JSON.stringify(login)}`;
  return [`machine ${machine}${name} password ${placeholder}\n`];
}

/** Without comments and macros, which end at an empty line. */
function wordsOf(text: string): readonly string[] {
  const words: string[] = [];
  let isMacro = false;
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') isMacro = false;
    if (isMacro) continue;
    let rest = line.trimStart();
    while (rest !== '' && !rest.startsWith('#')) {
      const [whole = '', quoted] = /^"((?:[^"\\]|\\.)*)"|^\S+/.exec(rest) ?? [];
      if (whole === '') throw new Error('a quote does not end');
      if (whole === 'macdef') {
        isMacro = true;
        break;
      }
      words.push(quoted === undefined ? whole : quoted.replaceAll(/\\(.)/g, '$1'));
      rest = rest.slice(whole.length).trimStart();
    }
  }
  return words;
}
