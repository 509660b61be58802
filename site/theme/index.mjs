// The theme of the site: VitePress's own, with the switch between versions.

import { h } from 'vue';
import DefaultTheme from 'vitepress/theme-without-fonts';
import VersionSwitch from './VersionSwitch.vue';
import './style.css';

const switchAt = (place) => () => h(VersionSwitch, { place });

const theme = {
  extends: DefaultTheme,
  Layout: () =>
    h(DefaultTheme.Layout, undefined, {
      'nav-bar-content-after': switchAt('bar'),
      'nav-screen-content-after': switchAt('screen'),
      'doc-before': switchAt('page'),
    }),
};

// oxlint-disable-next-line import/no-default-export -- VitePress asks for it by that name
export { theme as default };
