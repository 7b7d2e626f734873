// htmx would write a <style> of its own into every page, which the content policy refuses; nothing here needs it.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
