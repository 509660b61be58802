// Completion for bash 3.2 and newer, with and without the package bash-completion.

import { pathsOf, pathsWithWords, typedNames, type Place, type Values } from './completion-places.ts';

/** The script, which is sourced. `program` is the name of the command that it completes. */
export function bashCompletion(program: string, places: readonly Place[]): string {
  const name = functionName(program);
  return `# Completion of ${program} for bash. Source it, or put it where bash-completion looks: ${program} help completion.

_${name}_values() {
  # How the value behind an option is completed, of "path option": prints words, or says that it is a file or a folder.
  case $1 in
${valueCases(places)}
    *) return 1 ;;
  esac
}

_${name}() {
  local IFS=$'\\n'
  local current=\${COMP_WORDS[COMP_CWORD]} option=\${COMP_WORDS[COMP_CWORD - 1]} path='' word found i
  COMPREPLY=()
  # bash takes --option=value apart.
  if [[ $current == = ]]; then
    current=''
  elif [[ $option == = && $COMP_CWORD -gt 1 ]]; then
    option=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case $path in
      ${caseOf(places.filter(({ takesCommand }) => takesCommand).map(({ path }) => path))})
        # Behind -- stands another command line.
        if [[ $word == -- ]]; then
          _${name}_command $((i + 1))
          return
        fi
        ;;
    esac
    # The value of an option is no word of ours.
    if ((i > 1)) && _${name}_values "$path \${COMP_WORDS[i - 1]}" >/dev/null; then continue; fi
    case $path' '$word in
${pathCases(places)}
      *)
        # A word that stands at no place of its own leads nowhere.
        case $path in
          ${caseOf(pathsWithWords(places))}) [[ $word == -* ]] || path='?' ;;
        esac
        ;;
    esac
  done
  if found=$(_${name}_values "$path $option"); then
    case $found in
      '<file>') _${name}_files -f ;;
      '<folder>') _${name}_files -d ;;
      *) COMPREPLY=($(compgen -W "$found" -- "$current")) ;;
    esac
    return
  fi
  case $path in
${places.map((place) => placeCase(name, place)).join('\n')}
  esac
}

${helpers(name)}complete -F _${name} ${program}
`;
}

/** Files and folders, and the command line of another program. */
function helpers(name: string): string {
  return `_${name}_files() {
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$current"))
}

_${name}_command() {
  if declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  elif ((COMP_CWORD == $1)); then
    COMPREPLY=($(compgen -c -- "$current"))
  else
    _${name}_files -f
  fi
}

`;
}

function pathCases(places: readonly Place[]): string {
  return pathsOf(places)
    .map((path) => `      ${quoted(beforeAndWord(path))}) path=${quoted(path)} ;;`)
    .join('\n');
}

function functionName(program: string): string {
  return program.replaceAll('-', '_');
}

/** The words before the last one, a space, and the last one: how a path is found along the line. */
function beforeAndWord(path: string): string {
  return path.includes(' ') ? path : ` ${path}`;
}

function placeCase(name: string, { path, words, options, operands }: Place): string {
  const known = words.map(([word]) => word);
  const dashed = options.map((option) => `--${option.name}`);
  const other =
    operands.kind === 'words'
      ? wordsLine([...known, ...operands.words.map(([word]) => word)])
      : operands.kind === 'nothing'
        ? wordsLine(known)
        : `_${name}_files ${operands.kind === 'file' ? '-f' : '-d'}`;
  return `    ${path === '' ? "''" : quoted(path)})
      if [[ $current == -* ]]; then
        ${wordsLine(dashed)}
      else
        ${other}
      fi
      ;;`;
}

function wordsLine(words: readonly string[]): string {
  if (words.length === 0) return ':';
  return `COMPREPLY=($(compgen -W $'${words.join('\\n')}' -- "$current"))`;
}

function valueCases(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, options }) =>
    options.flatMap((option) => {
      const { values } = option;
      if (values === undefined) return [];
      const names = typedNames(option);
      return [`    ${caseOf(names.map((one) => `${path} ${one}`))}) ${printed(values)} ;;`];
    }),
  );
  return lines.join('\n');
}

function printed(values: Values): string {
  if (values.kind === 'words')
    return `printf '%s\\n' ${values.words.map(([word]) => quoted(word)).join(' ')}`;
  return values.kind === 'nothing' ? ':' : `echo '<${values.kind}>'`;
}

function caseOf(words: readonly string[]): string {
  return words.length === 0 ? "''" : words.map(quoted).join(' | ');
}

/** A word of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
