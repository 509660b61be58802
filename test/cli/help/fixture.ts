// Asks real shells what they complete. Each gives, for each line, the words that it would offer, in no order.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun } from '../../support/command.ts';
import { patienceMs } from '../../support/patience.ts';

/** A command line up to the cursor. */
export type Line = readonly string[];
export type Offered = readonly (readonly string[])[];

const quoted = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** Of many blocks with a line `--- ` between them. */
function blocksOf(text: string): Offered {
  return text
    .split('--- \n')
    .slice(1)
    .map((block) => [...new Set(block.split('\n').filter((word) => word !== ''))].toSorted());
}

export async function askBash(script: string, lines: readonly Line[]): Promise<Offered> {
  const asked = lines.map((line) => `ask ${line.map(quoted).join(' ')}`);
  const program = `source /dev/fd/3 3<<'SCRIPT'
${script}
SCRIPT
ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _upstreamproxy; echo '--- '; printf '%s\\n' "\${COMPREPLY[@]}"; }
${asked.join('\n')}`;
  return blocksOf(await mustRun('bash', ['--norc', '-s'], { input: program }));
}

export async function askFish(script: string, lines: readonly Line[], folder: string): Promise<Offered> {
  // A word of fish: its two escapes. Behind a tab it says what the word is.
  const word = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const asked = lines.map((line) => `echo '--- '; complete -C ${word(line.join(' '))}`);
  const printed = await mustRun('fish', ['--no-config'], {
    // It makes folders at home as it starts.
    env: { PATH: process.env['PATH'], HOME: folder },
    input: `${script}\n${asked.join('\n')}\n`,
    // It is asked for every command and option by one process.
    timeoutMs: 4 * patienceMs,
  });
  return blocksOf(printed).map((words) => words.map((text) => text.replace(/\t.*/, '')));
}

/** By the line editor of an interactive zsh: what completion functions hand to `compadd` is written down. */
export async function askZsh(script: string, lines: readonly Line[], folder: string): Promise<Offered> {
  const place = await mkdtemp(join(folder, 'zsh-'));
  const [source, hits] = [join(place, 'script'), join(place, 'hits')];
  await writeFile(source, script);
  // Its own function, so that what completion adds is seen; with -A, -O or -D it is asked and adds nothing.
  const rc = `PROMPT='' RPROMPT=''
unsetopt auto_list
autoload -Uz compinit && compinit -u -D
source ${source}
compadd() {
  local -a found
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  builtin compadd -A found "$@"
  print -rl -- $found >>${hits}
  builtin compadd "$@"
}
ask() { print -r -- '--- ' >>${hits}; zle complete-word; BUFFER=''; print -r -- done >>${hits}.done }
zle -N ask
bindkey '^I' ask
print -r -- ready >>${hits}.done`;
  await writeFile(join(place, 'rc'), rc);
  const driver = `zmodload zsh/zpty
waitFor() { local n=0; until [[ -e $1 && $(wc -l <$1) -ge $2 ]]; do ((n++ > 3000)) && exit 3; sleep 0.02; zpty -r -t shell line 2>/dev/null; done }
zpty shell zsh -f -i
zpty -w shell ${quoted(`source ${join(place, 'rc')}`)}
waitFor ${hits}.done 1
${lines
  .map((line, at) => `zpty -w -n shell ${quoted(line.join(' '))}$'\\t'; waitFor ${hits}.done ${at + 2}`)
  .join('\n')}
zpty -d shell`;
  try {
    await mustRun('zsh', ['-f', '-s'], { input: driver });
    return blocksOf(await readFile(hits, 'utf8'));
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
