// Ctrl K: every command by its name. What is typed may also be a trace, or a filter.

import { type KeyboardEvent, type ReactElement, useEffect, useRef, useState } from 'react';
import { type Command, commandsFor } from '../model/palette-commands.ts';
import { go } from './location.ts';
import { useDesk, useViews } from './operator.ts';
import { switchTheme } from './theme.ts';

export function Palette({ showHelp }: { readonly showHelp: () => void }): ReactElement {
  const { signOut } = useDesk();
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const saved = useViews();
  const commands = commandsFor(text, saved);
  useCtrlK(() => {
    setText('');
    setChosen(0);
    dialog.current?.showModal();
  });
  const run = (command: Command | undefined): void => {
    if (command === undefined) return;
    dialog.current?.close();
    const { act } = command;
    if ('to' in act) go(act.to);
    else if (act.name === 'theme') switchTheme();
    else if (act.name === 'help') showHelp();
    else signOut();
  };
  const move = (event: KeyboardEvent): void => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined) setChosen(Math.max(0, Math.min(commands.length - 1, chosen + by)));
    else if (event.key === 'Enter') run(commands[chosen]);
    else return;
    event.preventDefault();
  };
  return (
    <dialog ref={dialog} className="help palette" aria-label="All commands">
      <input
        className="field"
        aria-label="What to do"
        placeholder="A command, a trace or a filter"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-commands"
        aria-activedescendant={`palette-${chosen}`}
        spellCheck={false}
        autoComplete="off"
        maxLength={400}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setChosen(0);
        }}
        onKeyDown={move}
      />
      <div id="palette-commands" role="listbox" aria-label="Commands">
        {commands.map((command, at) => (
          <Line key={command.name} command={command} at={at} isChosen={at === chosen} run={run} />
        ))}
      </div>
    </dialog>
  );
}

interface LineProps {
  readonly command: Command;
  readonly at: number;
  readonly isChosen: boolean;
  readonly run: (command: Command) => void;
}

function Line({ command, at, isChosen, run }: LineProps): ReactElement {
  const { name, key } = command;
  return (
    <div id={`palette-${at}`} role="option" aria-selected={isChosen} onClick={() => run(command)}>
      <span className="el">{name}</span>
      {key === undefined ? null : <kbd>{key}</kbd>}
    </div>
  );
}

function useCtrlK(open: () => void): void {
  useEffect(() => {
    const press = (event: globalThis.KeyboardEvent): void => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== 'k') return;
      event.preventDefault();
      // Above another dialog there is none.
      if (document.querySelector('dialog[open]') === null) open();
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, [open]);
}
