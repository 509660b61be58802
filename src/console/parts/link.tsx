// A link within the console: an address that can be opened in another tab, followed without loading the page anew.

import type { MouseEvent, ReactElement, ReactNode } from 'react';
import { plainText } from '../model/clean-text.ts';
import { go } from './location.ts';

interface LinkProps {
  readonly to: string;
  readonly className?: string;
  readonly isCurrent?: boolean;
  readonly label?: string;
  readonly children: ReactNode;
}

export function Link({ to, className, isCurrent, label, children }: LinkProps): ReactElement {
  const follow = (event: MouseEvent): void => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a
      href={to}
      className={className}
      aria-current={isCurrent === true ? 'page' : undefined}
      aria-label={label === undefined ? undefined : plainText(label)}
      onClick={follow}
    >
      {children}
    </a>
  );
}
