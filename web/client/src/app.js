// Loaded on every page: htmx, idiomorph as its "morph" swap, and the base style.
import htmx from 'htmx.org';
import { Idiomorph } from 'idiomorph';

import './app.css';

// hx-on and trigger filters are compiled from strings by htmx; our content policy has no unsafe-eval.
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;

const MORPH_STYLES = { morph: 'outerHTML', 'morph:outerHTML': 'outerHTML', 'morph:innerHTML': 'innerHTML' };

htmx.defineExtension('morph', {
  isInlineSwap: (style) => MORPH_STYLES[style] === 'outerHTML',
  handleSwap: (style, target, fragment) => {
    const morphStyle = MORPH_STYLES[style];
    return morphStyle ? Idiomorph.morph(target, fragment.children, { morphStyle }) : undefined;
  },
});

window.htmx = htmx;
