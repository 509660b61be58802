// Completion for zsh, by its own `_arguments`.

import { typedNames, type CompletedOption, type Place, type Values, type Word } from './completion-places.ts';

/** A file named `_PROGRAM` in a folder of `fpath`, or a script that is sourced behind `compinit`. */
export function zshCompletion(program: string, places: readonly Place[]): string {
  return `#compdef ${program}
# Completion of ${program} for zsh: ${program} help completion.

${places.map((place) => placeFunction(program, place, places)).join('\n')}
# Autoloaded it is called by this name; sourced it says itself what it completes.
if [[ $funcstack[1] == _${program} ]]; then
  _${program} "$@"
else
  compdef _${program} ${program}
fi
`;
}

function placeFunction(program: string, place: Place, places: readonly Place[]): string {
  const name = functionOf(program, place.path);
  if (place.words.length === 0) {
    const lines = [...place.options.map(optionSpec), ...operandSpecs(place)];
    return `${name}() {\n  _arguments -s -S ${lines.map((line) => `\\\n    ${line}`).join(' ')}\n}\n`;
  }
  const prefix = place.path === '' || place.path === 'help' ? '' : `${place.path} `;
  // Of \`help\` the words are commands, and nothing follows them.
  const next = place.path === 'help' ? [] : place.words.map(([word]) => `${prefix}${word}`);
  const known = next.filter((path) => places.some((other) => other.path === path));
  return `${name}() {
  local context state state_descr line
  local -A opt_args
  _arguments -s -S -A '-*' ${place.options.map((option) => `\\\n    ${optionSpec(option)} `).join('')}\\
    '1: :->word' '*:: :->rest'
  case $state in
    word)
      local -a words_here=(
${place.words.map((word) => `        ${described(word)}`).join('\n')}
      )
      _describe 'command' words_here
      ;;
    rest)
      # Words begin with the command here.
      case $words[1] in
${known.map((path) => `        ${quoted(lastWord(path))}) ${functionOf(program, path)} ;;`).join('\n')}
        *) ;;
      esac
      ;;
  esac
}
`;
}

function functionOf(program: string, path: string): string {
  return path === '' ? `_${program}` : `_${program}_${path.replaceAll(' ', '_')}`;
}

function lastWord(path: string): string {
  return path.slice(path.lastIndexOf(' ') + 1);
}

function optionSpec(option: CompletedOption): string {
  const { help, values, isRepeated } = option;
  const names = typedNames(option);
  const text = `[${help.replaceAll(/[\][:\\]/g, String.raw`\$&`)}]`;
  // What may be given again excludes nothing.
  const before = isRepeated ? '*' : names.length > 1 ? `(${names.join(' ')})` : '';
  const specs = names.map((one) => {
    const takes = values === undefined ? '' : one.startsWith('--') ? '=' : '+';
    return `${before}${one}${takes}${text}${values === undefined ? '' : `:value:${action(values)}`}`;
  });
  return specs.map(quoted).join(' ');
}

function operandSpecs({ operands, takesCommand }: Place): readonly string[] {
  if (takesCommand) return [quoted('(-)1: :_command_names -e'), quoted('*::command:_normal')];
  if (operands.kind === 'nothing') return [];
  return [quoted(`*:argument:${action(operands)}`)];
}

function action(values: Values): string {
  switch (values.kind) {
    case 'nothing':
      return ' ';
    case 'file':
      return '_files';
    case 'folder':
      return '_files -/';
    case 'words':
      return `(${values.words.map(([word]) => word).join(' ')})`;
  }
}

/** For \`_describe\`: the first colon ends the word. */
function described([word, meaning]: Word): string {
  return quoted(`${word.replaceAll(':', String.raw`\:`)}:${meaning}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
